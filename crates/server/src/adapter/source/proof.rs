//! What shows that a deliverable is what it should be: its checksum, and the signature of somebody who may make one.
//!
//! Tested in place.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use minisign_verify::{PublicKey, Signature};
use tandem_core::base::Digest;

/// No checksum or signature is longer, in bytes.
pub(super) const LONGEST: u64 = 4096;

/// What came with a deliverable.
#[derive(Debug, Clone, Default)]
pub(crate) struct Proof {
    /// The SHA-256 that it should have.
    pub(crate) digest: Option<Digest>,
    /// The text of a file that minisign wrote.
    pub(crate) signature: Option<String>,
}

/// What must come with each deliverable.
pub(crate) struct Demands {
    /// Whether a checksum must.
    pub(crate) checksum: bool,
    /// By whom each must be signed.
    pub(crate) signer: Option<PublicKey>,
}

impl Demands {
    /// Whether a deliverable is what it should be. If not: why, for people.
    ///
    /// # Errors
    /// It can't be read.
    pub(crate) fn are_met(
        &self,
        proof: &Proof,
        digest: &Digest,
        content: &Path,
    ) -> io::Result<Result<(), String>> {
        match &proof.digest {
            Some(wanted) if wanted != digest => {
                let (wanted, found) = (wanted.short(), digest.short());
                return Ok(Err(format!(
                    "its SHA-256 is {found}…, and should be {wanted}…: hand it over once more"
                )));
            }
            None if self.checksum => {
                return Ok(Err("it came without its SHA-256, which `source.checksum` asks for".to_owned()));
            }
            _ => {}
        }
        let Some(signer) = &self.signer else { return Ok(Ok(())) };
        let Some(signature) = &proof.signature else {
            return Ok(Err("it is not signed, which `source.public_key` asks for: minisign -S".to_owned()));
        };
        let Ok(signature) = Signature::decode(signature) else {
            return Ok(Err("its signature is none that minisign wrote".to_owned()));
        };
        let mut verifier = match signer.verify_stream(&signature) {
            Ok(verifier) => verifier,
            Err(error) => return Ok(Err(format!("its signature can't be used: {error}"))),
        };
        let (mut content, mut part) = (File::open(content)?, vec![0; 64 * 1024]);
        loop {
            match content.read(&mut part)? {
                0 => break,
                count => verifier.update(part.get(..count).unwrap_or_default()),
            }
        }
        let wrong = |_| "its signature is not by `source.public_key`, or of other content".to_owned();
        Ok(verifier.finalize().map_err(wrong))
    }
}

/// The checksum in a file as `sha256sum` writes it: of one deliverable. None: it is no SHA-256.
pub(super) fn checksum(text: &str) -> Option<Digest> {
    let word = text.split_whitespace().next()?.to_ascii_lowercase();
    (word.len() == 64).then(|| word.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// As minisign writes them, of the content "what was signed\n"; the secret key is gone.
    const KEY: &str = "RWR0YW5kZW0wMdIMbOWwgLVA9lsCa5utfA+JlMawtNwZg8z+pDP5FzBd";
    const SIGNATURE: &str = "untrusted comment: signature from minisign secret key\n\
        RUR0YW5kZW0wMSHs7yEJkkQv/aA1BCqVRZbBN2cKhf/+H6OviAXNurEuasAl+aOmD6sbkYCl7QCjiRt3u3+aCs/QT09+4Qjl7gE=\n\
        trusted comment: timestamp:1774346400\tfile:x.tar.gz\thashed\n\
        A7Lbq3eSgloPaxqpEM1a3X9UGMLqvlHYhbc75sQhh9t/bnbguOVmHKJ+xYeCLYv4pSkVvqOa0YCR8njUmXkEAg==\n";

    fn verdict(demands: &Demands, proof: &Proof, content: &str) -> Result<(), String> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("x");
        fs::write(&file, content).unwrap();
        let digest: Digest = "ab".repeat(32).parse().unwrap();
        demands.are_met(proof, &digest, &file).unwrap()
    }

    #[test]
    fn a_checksum_is_looked_at_where_it_is_there_or_asked_for() {
        let digest = |text: &str| checksum(text).ok_or(());
        let (same, other) = ("AB".repeat(32), "cd".repeat(32));
        for (checksum, proof, is_good) in [
            (false, None, true),
            (true, None, false),
            (true, Some(digest(&same).unwrap()), true),
            (false, Some(digest(&format!("{other}  x.tar.gz\n")).unwrap()), false),
        ] {
            let demands = Demands { checksum, signer: None };
            let proof = Proof { digest: proof, signature: None };
            assert_eq!(verdict(&demands, &proof, "x").is_ok(), is_good, "{checksum} {proof:?}");
        }
        assert_eq!(checksum(""), None);
        assert_eq!(checksum("abc  x.tar.gz"), None);
    }

    #[test]
    fn only_what_is_signed_by_that_key_is_good() {
        let signer = || Some(PublicKey::from_base64(KEY).unwrap());
        let (demands, none) =
            (Demands { checksum: false, signer: signer() }, Demands { checksum: false, signer: None });
        let signed = |signature: &str| Proof { digest: None, signature: Some(signature.to_owned()) };
        assert_eq!(verdict(&demands, &signed(SIGNATURE), "what was signed\n"), Ok(()));
        assert!(verdict(&demands, &signed(SIGNATURE), "what was signed").is_err());
        assert!(verdict(&demands, &Proof::default(), "what was signed\n").is_err());
        for wrong in ["", "x", &SIGNATURE.replace("timestamp", "tampered"), &SIGNATURE[..60]] {
            assert!(verdict(&demands, &signed(wrong), "what was signed\n").is_err(), "{wrong}");
        }
        assert_eq!(verdict(&none, &Proof::default(), "anything"), Ok(()), "nobody asks");
    }
}
