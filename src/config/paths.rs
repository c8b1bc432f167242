//! Settings by their paths: `section.key`, and of a section in a section `section.inner.key`.

use serde_json::{Map, Value};

/// Returns every value of a tree with its path.
pub(crate) fn flattened(tree: &Value) -> Vec<(String, Value)> {
    let mut flat = Vec::new();
    collect("", tree, &mut flat);
    flat
}

fn collect(path: &str, value: &Value, flat: &mut Vec<(String, Value)>) {
    match value {
        Value::Object(keys) => {
            for (name, value) in keys {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                collect(&path, value, flat);
            }
        }
        value => flat.push((path.to_owned(), value.clone())),
    }
}

/// Puts a value where its path says.
pub(crate) fn put(tree: &mut Map<String, Value>, path: &str, value: Value) {
    match path.split_once('.') {
        None => drop(tree.insert(path.to_owned(), value)),
        Some((section, rest)) => {
            let section = tree.entry(section).or_insert_with(|| Value::Object(Map::new()));
            if let Value::Object(keys) = section {
                put(keys, rest, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_was_flattened_is_put_together_again() {
        let tree = json!({"store": {"engine": "sled", "postgres": {"url": "", "connections_max": 8}}, "log": {"filter": "info"}});
        let flat = flattened(&tree);
        assert!(flat.contains(&("store.postgres.connections_max".to_owned(), json!(8))), "{flat:?}");
        let mut again = Map::new();
        flat.into_iter().for_each(|(path, value)| put(&mut again, &path, value));
        assert_eq!(Value::Object(again), tree);
    }
}
