//! The fields of deliverables that come by themselves.

use super::super::source::SourceSpec;
use super::super::value::Value;
use super::super::window::Window;
use super::Field;

pub(super) fn visit(source: &mut SourceSpec, each: &mut dyn FnMut(&str, &mut dyn Field)) {
    each("source.folder", &mut source.folder);
    each("source.settle", &mut source.settle);
    each("source.max_size", &mut source.max_size);
    each("source.checksum", &mut source.checksum);
    each("source.public_key", &mut source.public_key);
    each("source.hotfix", &mut source.hotfix);
    each("source.windows", &mut source.windows);
    each("source.freezes", &mut source.freezes);
    each("source.interval", &mut source.interval);
    each("source.check", &mut source.check);
    each("source.check_within", &mut source.check_within);
    each("source.approve", &mut source.approve);
}

impl Field for bool {
    fn set(&mut self, value: &Value) {
        if let Value::Flag(flag) = value {
            *self = *flag;
        }
    }

    fn show(&self) -> Option<String> {
        Some(self.to_string())
    }
}

impl Field for Vec<Window> {
    fn set(&mut self, value: &Value) {
        if let Value::Words(words) = value {
            *self = words.iter().filter_map(|word| word.parse().ok()).collect();
        }
    }

    fn show(&self) -> Option<String> {
        self.iter().map(ToString::to_string).collect::<Vec<_>>().show()
    }
}
