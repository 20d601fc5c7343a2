//! The fields of commands that have a word in a deployment, and of who is told of it.

use super::super::hook::HookSpec;
use super::super::notify::{NotifySpec, Occasion};
use super::super::value::Value;
use super::Field;

pub(super) fn visit(
    hooks: &mut HookSpec,
    notify: &mut [NotifySpec],
    each: &mut dyn FnMut(&str, &mut dyn Field),
) {
    each("hooks.begin", &mut hooks.begin);
    each("hooks.release", &mut hooks.release);
    each("hooks.ready", &mut hooks.ready);
    each("hooks.watch", &mut hooks.watch);
    each("hooks.watch_every", &mut hooks.watch_every);
    each("hooks.watch_fails", &mut hooks.watch_fails);
    each("hooks.serving", &mut hooks.serving);
    each("hooks.within", &mut hooks.within);
    for (at, target) in notify.iter_mut().enumerate() {
        each(&format!("notify[{at}].url"), &mut target.url);
        each(&format!("notify[{at}].command"), &mut target.command);
        each(&format!("notify[{at}].format"), &mut target.format);
        each(&format!("notify[{at}].on"), &mut target.on);
    }
}

impl Field for Vec<Occasion> {
    fn set(&mut self, value: &Value) {
        if let Value::Words(words) = value {
            *self = words.iter().filter_map(|word| Occasion::named(word)).collect();
        }
    }

    fn show(&self) -> Option<String> {
        self.iter().map(|occasion| occasion.name().to_owned()).collect::<Vec<_>>().show()
    }
}
