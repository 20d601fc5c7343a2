//! How frameworks tell that a migration was edited after it had run.

use sha2::{Digest, Sha384};

/// sqlx: SHA-384 of the file, in hexadecimal digits.
pub(super) fn sqlx(text: &str) -> String {
    Sha384::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Flyway: CRC-32 of the lines without their ends, as a signed number.
pub(super) fn flyway(text: &str) -> i32 {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let bytes = text.bytes().filter(|byte| !matches!(byte, b'\r' | b'\n'));
    let crc = bytes.fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| (crc >> 1) ^ (0xEDB8_8320 * (crc & 1)))
    });
    (!crc).cast_signed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flyway_counts_lines_without_their_ends() {
        // The check value of CRC-32 is that of "123456789".
        assert_eq!(flyway("\u{feff}123\r\n456\n789\n"), 0xCBF4_3926_u32.cast_signed());
        assert_eq!(flyway(""), 0);
    }

    #[test]
    fn sqlx_takes_the_file_as_it_is() {
        assert!(sqlx("abc").starts_with("cb00753f45a35e8bb5a03d699ac65007"));
        assert_eq!(sqlx("abc").len(), 96);
    }
}
