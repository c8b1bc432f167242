//! Key-value pairs an application keeps on groups, rooms and members of rooms, and their limits.

use std::collections::BTreeMap;

use super::{AttributeFault, AttributeOwner, Refusal};

/// An application's own pairs.
pub type Attributes = BTreeMap<String, String>;

/// How many, and how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AttributeLimits {
    /// Whose they are.
    pub owner: AttributeOwner,
    /// Pairs.
    pub count_max: usize,
    /// A key, bytes.
    pub key_bytes_max: usize,
    /// A value, bytes.
    pub value_bytes_max: usize,
    /// All keys and values together, bytes.
    pub total_bytes_max: usize,
}

impl AttributeLimits {
    /// Whether each pair may be set, whatever there is besides.
    ///
    /// # Errors
    /// [`Refusal::Attributes`] for the first key or value that may not.
    pub fn check_each<'a>(&self, pairs: impl IntoIterator<Item = (&'a String, &'a String)>) -> Result<(), Refusal> {
        for (key, value) in pairs {
            self.check_key(key)?;
            if value.len() > self.value_bytes_max {
                let (bytes, bytes_max) = (value.len(), self.value_bytes_max);
                return Err(self.refuse(AttributeFault::Value { key: key.clone(), bytes, bytes_max }));
            }
        }
        Ok(())
    }

    /// Whether there can be such a key.
    ///
    /// # Errors
    /// [`Refusal::Attributes`].
    pub fn check_key(&self, key: &str) -> Result<(), Refusal> {
        match key.len() {
            bytes if (1..=self.key_bytes_max).contains(&bytes) => Ok(()),
            bytes => Err(self.refuse(AttributeFault::Key { bytes, bytes_max: self.key_bytes_max })),
        }
    }

    /// Whether these may stand together.
    ///
    /// # Errors
    /// [`Refusal::Attributes`] for their count or their length.
    pub fn check_all<'a>(&self, pairs: impl IntoIterator<Item = (&'a String, &'a String)>) -> Result<(), Refusal> {
        let (mut count, mut bytes) = (0, 0);
        for (key, value) in pairs {
            count += 1;
            bytes += key.len() + value.len();
        }
        if count > self.count_max {
            return Err(self.refuse(AttributeFault::Count { count, count_max: self.count_max }));
        }
        if bytes > self.total_bytes_max {
            return Err(self.refuse(AttributeFault::Total { bytes, bytes_max: self.total_bytes_max }));
        }
        Ok(())
    }

    fn refuse(&self, fault: AttributeFault) -> Refusal {
        Refusal::Attributes { owner: self.owner, fault }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: AttributeLimits =
        AttributeLimits { owner: AttributeOwner::Room, count_max: 3, key_bytes_max: 4, value_bytes_max: 8, total_bytes_max: 20 };

    fn pairs(pairs: &[(&str, &str)]) -> Attributes {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    fn fault(checked: Result<(), Refusal>) -> Option<AttributeFault> {
        match checked {
            Err(Refusal::Attributes { owner: AttributeOwner::Room, fault }) => Some(fault),
            other => other.map(|()| None).unwrap(),
        }
    }

    #[test]
    fn each_limit_holds_at_its_edge() {
        assert_eq!(fault(LIMITS.check_each(&pairs(&[("abcd", "12345678")]))), None);
        assert!(matches!(fault(LIMITS.check_each(&pairs(&[("abcde", "")]))), Some(AttributeFault::Key { bytes: 5, bytes_max: 4 })));
        assert!(matches!(fault(LIMITS.check_each(&pairs(&[("", "")]))), Some(AttributeFault::Key { bytes: 0, .. })));
        assert!(matches!(fault(LIMITS.check_each(&pairs(&[("a", "123456789")]))), Some(AttributeFault::Value { bytes: 9, .. })));
        assert_eq!(fault(LIMITS.check_all(&pairs(&[("a", "1"), ("b", "2"), ("c", "3")]))), None);
        let four = pairs(&[("a", ""), ("b", ""), ("c", ""), ("d", "")]);
        assert!(matches!(fault(LIMITS.check_all(&four)), Some(AttributeFault::Count { count: 4, .. })));
        assert_eq!(fault(LIMITS.check_all(&pairs(&[("ab", "12345678"), ("cd", "12345678")]))), None);
        let long = pairs(&[("ab", "12345678"), ("cde", "12345678")]);
        assert!(matches!(fault(LIMITS.check_all(&long)), Some(AttributeFault::Total { bytes: 21, .. })));
    }
}
