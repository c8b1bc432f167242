//! How much of combined messages is in memory at a time: of one user, and of all together.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::model::{Refusal, UserId};

/// What is in memory now, bytes.
#[derive(Debug, Default)]
pub(crate) struct CombineMemory(Mutex<InUse>);

#[derive(Debug, Default)]
struct InUse {
    by_user: HashMap<UserId, usize>,
    total: usize,
}

impl CombineMemory {
    fn locked(&self) -> MutexGuard<'_, InUse> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A user's part of it, given back when this is dropped. Begins with nothing.
#[derive(Debug)]
pub(crate) struct MemoryShare {
    memory: Arc<CombineMemory>,
    user: UserId,
    user_max: usize,
    total_max: usize,
    bytes: usize,
}

impl MemoryShare {
    /// Makes an empty share. `user_max` is how much all shares of one user may hold, `total_max` all shares, bytes.
    pub(crate) fn new(memory: Arc<CombineMemory>, user: UserId, user_max: usize, total_max: usize) -> Self {
        Self { memory, user, user_max, total_max, bytes: 0 }
    }

    /// Adds to the share, before as many bytes are read.
    ///
    /// # Errors
    /// [`Refusal::Busy`]: the user, or all together, have as much in memory as they may; nothing was added.
    pub(crate) fn add(&mut self, bytes: usize) -> Result<(), Refusal> {
        let mut in_use = self.memory.locked();
        let of_user = in_use.by_user.get(&self.user).copied().unwrap_or(0).saturating_add(bytes);
        let total = in_use.total.saturating_add(bytes);
        if of_user > self.user_max {
            return Err(Refusal::Busy("combined messages of this user take as much memory as they may"));
        }
        if total > self.total_max {
            return Err(Refusal::Busy("combined messages take as much memory as they may"));
        }
        if bytes > 0 {
            in_use.by_user.insert(self.user.clone(), of_user);
            in_use.total = total;
            self.bytes += bytes;
        }
        Ok(())
    }
}

impl Drop for MemoryShare {
    fn drop(&mut self) {
        if self.bytes == 0 {
            return;
        }
        let mut in_use = self.memory.locked();
        in_use.total -= self.bytes;
        if let Some(of_user) = in_use.by_user.get_mut(&self.user) {
            *of_user -= self.bytes;
            if *of_user == 0 {
                in_use.by_user.remove(&self.user);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_and_all_together_hold_as_much_as_they_may_and_give_it_back() {
        let memory = Arc::new(CombineMemory::default());
        let share = |user: &str| MemoryShare::new(memory.clone(), UserId::trusted(user), 10, 25);
        let (mut one, mut other) = (share("alice"), share("alice"));
        assert!(one.add(6).is_ok() && one.add(3).is_ok() && other.add(2).is_err(), "the user's");
        assert!(other.add(1).is_ok() && other.add(0).is_ok());
        let (mut bob, mut carol) = (share("bob"), share("carol"));
        assert!(bob.add(11).is_err() && bob.add(10).is_ok());
        assert!(matches!(carol.add(6), Err(Refusal::Busy(_))), "all together");
        assert!(carol.add(5).is_ok());
        drop((one, bob));
        assert!(other.add(9).is_ok() && other.add(1).is_err());
        drop((other, carol));
        assert!(memory.locked().by_user.is_empty() && memory.locked().total == 0);
    }
}
