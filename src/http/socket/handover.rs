//! How a connection leaves the HTTP layer.
//!
//! The HTTP layer's part of a connection is 6 KiB, kept until the request for the upgrade is answered for good. So the upgrade answers
//! at once and leaves here what goes on with the socket; the connection's task drops the HTTP layer's part and runs that.

use std::cell::RefCell;
use std::fmt;
use std::future::Future;
use std::rc::Rc;

use futures_util::FutureExt as _;
use futures_util::future::LocalBoxFuture;

/// What goes on with one connection when the HTTP layer is done with it: nothing, unless its socket was taken over.
#[derive(Clone, Default)]
pub(in crate::http) struct Handover(Rc<RefCell<Option<LocalBoxFuture<'static, ()>>>>);

impl Handover {
    /// Leaves what goes on with the connection.
    pub(super) fn go_on_with(&self, serving: impl Future<Output = ()> + 'static) {
        *self.0.borrow_mut() = Some(serving.boxed_local());
    }

    /// Runs what was left, to its end.
    pub(in crate::http) async fn finish(self) {
        let serving = self.0.borrow_mut().take();
        if let Some(serving) = serving {
            serving.await;
        }
    }
}

impl fmt::Debug for Handover {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handover").finish_non_exhaustive()
    }
}
