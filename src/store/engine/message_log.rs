//! The engine as a [`MessageLog`].

use std::sync::Arc;

use super::Engine;
use super::job::Job;
use super::read::held;
use super::read::{beside, heads, messages, pages, records};
use crate::model::{Child, Conversation, FileUid, LocalMessageId, Message, UserId};
use crate::store::error::StoreError;
use crate::store::format::rows::{ChangeKind, Note, NoteRecord, Pin, Revision, Tail};
use crate::store::format::{key, record};
use crate::store::traits::MessageLog;
use crate::store::types::{Append, Appended, Done, Page, PageRead, Since, SinceRead};

impl<T: AsRef<Engine> + Send + Sync + 'static> MessageLog for T {
    fn append(&self, append: Append, done: Done<Appended>) {
        let digest = if append.draft.local_id.is_some() { digest_of(&append) } else { (0, 0) };
        self.as_ref().submit_append(append, digest, done);
    }

    fn revise(&self, revision: Revision, done: Done<u64>) {
        self.as_ref().submit(Job::Revise(Box::new(revision), done));
    }

    fn remove(&self, conversation: Conversation, done: Done<()>) {
        self.as_ref().submit(Job::Remove(conversation, done));
    }

    fn may_know(&self, conversation: &Conversation, sender: &UserId, local_id: &LocalMessageId) -> bool {
        self.as_ref().may_know(conversation, sender.as_str(), local_id.as_str())
    }

    fn find(&self, conversation: &Conversation, sender: &UserId, local_id: &LocalMessageId) -> Result<Option<Appended>, StoreError> {
        let found = messages::first_result(self.as_ref().backend(), self.last_commit(), conversation, sender, local_id)?;
        Ok(found.map(|found| Appended { message: found.message, commit: found.commit, duplicate: true }))
    }

    fn read(&self, conversation: &Conversation, page: Page) -> Result<PageRead, StoreError> {
        pages::read(self.as_ref().backend(), self.last_commit(), conversation, page)
    }

    fn since(&self, conversation: &Conversation, since: Since) -> Result<SinceRead, StoreError> {
        let backend = self.as_ref().backend();
        if heads::locate(backend, conversation)?.is_none_or(|located| located.head.commit <= since.commit) {
            return Ok(SinceRead::default());
        }
        pages::since(backend, self.last_commit(), conversation, &since)
    }

    fn written_after(&self, commit: u64) -> Result<Vec<Conversation>, StoreError> {
        heads::written_after(self.as_ref().backend(), commit)
    }

    fn peers_of(&self, user: &UserId) -> Result<Vec<UserId>, StoreError> {
        records::rows(self.as_ref().backend(), key::peers(user), |key, value| {
            record::check(key, value)?;
            key::split_peer(key).ok_or_else(|| StoreError::Damaged("a peer's key cannot be read".into()))
        })
    }

    fn head(&self, conversation: &Conversation) -> Result<u64, StoreError> {
        heads::last_seq(self.as_ref().backend(), self.last_commit(), conversation)
    }

    fn tail(&self, conversation: &Conversation) -> Result<Option<Tail>, StoreError> {
        heads::tail(self.as_ref().backend(), self.last_commit(), conversation)
    }

    fn message(&self, conversation: &Conversation, seq: u64) -> Result<Option<Arc<Message>>, StoreError> {
        let located = messages::locate(self.as_ref().backend(), conversation, seq)?;
        Ok(located.filter(|located| located.envelope.commit <= self.last_commit()).map(|located| located.message))
    }

    fn seq_of(&self, conversation: &Conversation, id: u64) -> Result<Option<u64>, StoreError> {
        messages::seq_of_id(self.as_ref().backend(), self.last_commit(), conversation, id)
    }

    fn children(&self, conversation: &Conversation, seq: u64) -> Result<Vec<Child>, StoreError> {
        held::children(self.as_ref().backend(), conversation, seq)
    }

    fn children_bytes(&self, conversation: &Conversation, seq: u64) -> Result<usize, StoreError> {
        held::children_bytes(self.as_ref().backend(), conversation, seq)
    }

    fn notes(&self, conversation: &Conversation, seq: u64) -> Result<Vec<(Note, NoteRecord)>, StoreError> {
        beside::notes(self.as_ref().backend(), conversation, seq)
    }

    fn pins(&self, conversation: &Conversation) -> Result<Vec<Pin>, StoreError> {
        records::newest_or_permanent(self.as_ref().backend(), &key::pins(conversation))
    }

    fn replies(&self, conversation: &Conversation, root_seq: u64) -> Result<Vec<u64>, StoreError> {
        beside::replies(self.as_ref().backend(), self.last_commit(), conversation, root_seq)
    }

    fn changes(&self, conversation: &Conversation, after: u64, count_max: usize) -> Result<Vec<(u64, ChangeKind)>, StoreError> {
        beside::changes(self.as_ref().backend(), conversation, (after, self.last_commit()), count_max)
    }

    fn media_uses(&self, file: FileUid, count_max: usize) -> Result<Vec<(Conversation, u64)>, StoreError> {
        beside::media_uses(self.as_ref().backend(), file, count_max)
    }

    fn last_commit(&self) -> u64 {
        self.as_ref().last_commit()
    }

    fn last_message_id(&self) -> u64 {
        self.as_ref().last_message_id()
    }
}

/// Returns what decides whether a second send under the same local id is a retry: what its sender asked for, which may be
/// other than what is stored.
fn digest_of(append: &Append) -> (u64, u64) {
    record::digest_of(&append.conversation, append.asked.as_ref().unwrap_or(&append.draft.content))
}
