//! The fields of rules.

use super::super::rule::{FieldChanges, RuleSpec};
use super::super::template::Template;
use super::super::value::Value;
use super::{Field, literal};

pub(super) fn visit(rules: &mut [RuleSpec], each: &mut dyn FnMut(&str, &mut dyn Field)) {
    for (at, rule) in rules.iter_mut().enumerate() {
        let mut each = |key: &str, field: &mut dyn Field| each(&format!("rule[{at}].{key}"), field);
        each("name", &mut rule.name);
        each("path", &mut rule.path);
        each("hosts", &mut rule.hosts);
        each("methods", &mut rule.methods);
        each("headers", &mut rule.headers);
        each("redirect", &mut rule.redirect);
        each("answer", &mut rule.answer);
        each("status", &mut rule.status);
        each("type", &mut rule.content_type);
        each("rewrite", &mut rule.rewrite);
        changes("request", &mut rule.request, &mut each);
        changes("response", &mut rule.response, &mut each);
    }
}

fn changes(table: &str, changes: &mut FieldChanges, each: &mut dyn FnMut(&str, &mut dyn Field)) {
    each(&format!("{table}.set"), &mut changes.set);
    each(&format!("{table}.remove"), &mut changes.remove);
}

impl Field for Option<Template> {
    fn set(&mut self, value: &Value) {
        if let Value::Text(text) = value {
            *self = text.parse().ok();
        }
    }

    fn show(&self) -> Option<String> {
        self.as_ref().map(|template| literal(&template.to_string()))
    }
}

impl Field for Option<u32> {
    fn set(&mut self, value: &Value) {
        if let Value::Number(number) = value {
            *self = u32::try_from(*number).ok();
        }
    }

    fn show(&self) -> Option<String> {
        self.map(|number| number.to_string())
    }
}
