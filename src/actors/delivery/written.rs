//! Whether a batch was written: the writers of all its receivers have taken its frames.
//!
//! The frames of a batch share an owner; when the last of them is dropped, because it was written, shed or lost with its
//! connection, the batch counts as written. So a conversation learns that its receivers have nothing left to write without
//! asking each of them, and what gathered meanwhile leaves at once.

use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

use bytes::Bytes;
use bytestring::ByteString;

/// What the conversation keeps of a batch that left.
#[derive(Debug, Default)]
pub(crate) struct Written(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    done: bool,
    waker: Option<Waker>,
}

/// Held by the frames of a batch, and by whoever still makes some.
#[derive(Debug)]
pub(crate) struct InFlight(Arc<Written>);

/// The bytes of a frame, and the batch they belong to.
struct Owned {
    bytes: Bytes,
    _batch: Arc<InFlight>,
}

impl AsRef<[u8]> for Owned {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Written {
    /// Begins a batch: what its frames hold, and what tells when they are gone.
    pub(crate) fn begin() -> (Arc<InFlight>, Arc<Self>) {
        let written = Arc::new(Self::default());
        (Arc::new(InFlight(written.clone())), written)
    }

    /// Returns whether all frames are gone.
    pub(crate) fn is_done(&self) -> bool {
        self.state().done
    }

    /// Waits until all frames are gone. One at a time.
    pub(crate) async fn done(self: Arc<Self>) {
        poll_fn(|context| {
            let mut state = self.state();
            if state.done {
                return Poll::Ready(());
            }
            state.waker = Some(context.waker().clone());
            Poll::Pending
        })
        .await;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl InFlight {
    /// Makes a frame one of the batch.
    pub(crate) fn frame(self: &Arc<Self>, text: ByteString) -> ByteString {
        let owned = Owned { bytes: text.clone().into_bytes(), _batch: self.clone() };
        // The same bytes: they are text. Were they not, the frame would only not be waited for.
        ByteString::try_from(Bytes::from_owner(owned)).unwrap_or(text)
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        let waker = {
            let mut state = self.0.state();
            state.done = true;
            state.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::task::Context;

    use super::*;

    #[test]
    fn a_batch_is_written_when_the_last_clone_of_its_last_frame_is_gone() {
        let (batch, written) = Written::begin();
        let one = batch.frame(ByteString::from_static("one"));
        let two = batch.frame(ByteString::from("two".to_owned()));
        assert_eq!((&*one, &*two), ("one", "two"));
        let copies = [one.clone(), two.clone(), one.clone()];
        drop((batch, one));
        assert!(!written.is_done());
        drop(copies);
        assert!(!written.is_done());
        drop(two);
        assert!(written.is_done());
    }

    #[test]
    fn a_batch_without_receivers_is_written_at_once_and_who_waits_is_woken() {
        let (batch, written) = Written::begin();
        let mut waits = Box::pin(written.clone().done());
        let (waker, count) = futures_waker();
        assert!(waits.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        drop(batch);
        assert_eq!(count.load(std::sync::atomic::Ordering::SeqCst), 1);
        assert!(waits.as_mut().poll(&mut Context::from_waker(&waker)).is_ready());
    }

    fn futures_waker() -> (Waker, Arc<std::sync::atomic::AtomicUsize>) {
        struct Count(Arc<std::sync::atomic::AtomicUsize>);
        impl std::task::Wake for Count {
            fn wake(self: Arc<Self>) {
                self.0.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            }
        }
        let count = Arc::default();
        (Waker::from(Arc::new(Count(Arc::clone(&count)))), count)
    }
}
