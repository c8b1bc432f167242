//! The store as [`MessageLog`].

use std::sync::Arc;

use super::PostgresStore;
use super::read::{beside, messages};
use super::writer::job::{Job, NewMessage, Waiting, Work};
use crate::model::{Child, Conversation, FileUid, LocalMessageId, Message, UserId};
use crate::store::error::StoreError;
use crate::store::format::record;
use crate::store::format::rows::{ChangeKind, Note, NoteRecord, Pin, Revision, Tail};
use crate::store::traits::MessageLog;
use crate::store::types::{Append, Appended, Done, Page, PageRead, Since, SinceRead};

impl MessageLog for PostgresStore {
    fn append(&self, append: Append, done: Done<Appended>) {
        let content = append.asked.as_ref().unwrap_or(&append.draft.content);
        let digest = if append.draft.local_id.is_some() { record::digest_of(&append.conversation, content) } else { (0, 0) };
        // One lock over asking and queueing: of two sends under one local id the first in the queue is the new one.
        let now = self.state.stamps.peek();
        self.queue.push(|filter| {
            filter.turn(now);
            // Asked first: what is read into the filter meanwhile comes after that.
            let trusts = self.state.trusts_filter(&append.conversation);
            let certainly_new = match &append.draft.local_id {
                Some(local_id) => !filter.insert(&append.conversation, &append.sender, local_id) && trusts,
                None => true,
            };
            Job::Write(Work::Append(Box::new(NewMessage { append, certainly_new, digest })), Waiting::Append(done))
        });
    }

    fn revise(&self, revision: Revision, done: Done<u64>) {
        self.queue.push(|_| Job::Write(Work::Revise(Box::new(revision)), Waiting::Revise(done)));
    }

    fn remove(&self, conversation: Conversation, done: Done<()>) {
        self.queue.push(|_| Job::Remove(conversation, done));
    }

    fn may_know(&self, conversation: &Conversation, sender: &UserId, local_id: &LocalMessageId) -> bool {
        !self.state.trusts_filter(conversation) || self.state.filter.contains(conversation, sender, local_id)
    }

    fn find(&self, conversation: &Conversation, sender: &UserId, local_id: &LocalMessageId) -> Result<Option<Appended>, StoreError> {
        self.reader.wait(|reader| messages::first_result(reader, conversation.clone(), sender.clone(), local_id.clone()))
    }

    fn read(&self, conversation: &Conversation, page: Page) -> Result<PageRead, StoreError> {
        self.reader.wait(|reader| messages::page(reader, conversation.clone(), page))
    }

    fn since(&self, conversation: &Conversation, since: Since) -> Result<SinceRead, StoreError> {
        self.reader.wait(|reader| messages::since(reader, conversation.clone(), since))
    }

    fn written_after(&self, commit: u64) -> Result<Vec<Conversation>, StoreError> {
        self.reader.wait(|reader| messages::written_after(reader, commit))
    }

    fn peers_of(&self, user: &UserId) -> Result<Vec<UserId>, StoreError> {
        self.reader.wait(|reader| super::read::rows::peers_of(reader, user.clone()))
    }

    fn head(&self, conversation: &Conversation) -> Result<u64, StoreError> {
        Ok(self.tail(conversation)?.map_or(0, |tail| tail.seq))
    }

    fn tail(&self, conversation: &Conversation) -> Result<Option<Tail>, StoreError> {
        self.reader.wait(|reader| messages::tail(reader, conversation.clone()))
    }

    fn message(&self, conversation: &Conversation, seq: u64) -> Result<Option<Arc<Message>>, StoreError> {
        self.reader.wait(|reader| messages::message(reader, conversation.clone(), seq)).map(|stored| stored.map(|stored| stored.message))
    }

    fn seq_of(&self, conversation: &Conversation, id: u64) -> Result<Option<u64>, StoreError> {
        self.reader.wait(|reader| messages::seq_of(reader, conversation.clone(), id))
    }

    fn children(&self, conversation: &Conversation, seq: u64) -> Result<Vec<Child>, StoreError> {
        self.reader.wait(|reader| beside::children(reader, conversation.clone(), seq))
    }

    fn children_bytes(&self, conversation: &Conversation, seq: u64) -> Result<usize, StoreError> {
        self.reader.wait(|reader| beside::children_bytes(reader, conversation.clone(), seq))
    }

    fn notes(&self, conversation: &Conversation, seq: u64) -> Result<Vec<(Note, NoteRecord)>, StoreError> {
        self.reader.wait(|reader| beside::notes(reader, conversation.clone(), seq))
    }

    fn pins(&self, conversation: &Conversation) -> Result<Vec<Pin>, StoreError> {
        self.reader.wait(|reader| beside::pins(reader, conversation.clone()))
    }

    fn replies(&self, conversation: &Conversation, root_seq: u64) -> Result<Vec<u64>, StoreError> {
        self.reader.wait(|reader| beside::replies(reader, conversation.clone(), root_seq))
    }

    fn changes(&self, conversation: &Conversation, after: u64, count_max: usize) -> Result<Vec<(u64, ChangeKind)>, StoreError> {
        self.reader.wait(|reader| beside::changes(reader, conversation.clone(), after, count_max))
    }

    fn media_uses(&self, file: FileUid, count_max: usize) -> Result<Vec<(Conversation, u64)>, StoreError> {
        self.reader.wait(|reader| beside::media_uses(reader, file, count_max))
    }

    fn last_commit(&self) -> u64 {
        self.state.progress.last_commit()
    }

    fn last_message_id(&self) -> u64 {
        self.state.progress.last_message_id()
    }
}
