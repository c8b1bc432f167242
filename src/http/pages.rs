//! The files of the client, the demo page and the documentation, compiled in.

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};

use super::head::read;
use crate::broker::Broker;

/// One embedded file.
struct Asset {
    path: &'static str,
    content_type: &'static str,
    content: &'static str,
}

impl Asset {
    fn is_of_console(&self) -> bool {
        self.path.starts_with("/console")
    }
}

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const JAVASCRIPT: &str = "text/javascript; charset=utf-8";
const PLAIN: &str = "text/plain; charset=utf-8";

/// The console talks to the broker alone, and no text can become markup or script by any way of the browser's.
const POLICY_OF_CONSOLE: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; base-uri 'none'; \
                                 form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'";

/// Nothing but this host's own files, no inline script or style, no frame around it.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self' ws: wss:; img-src 'self' data: blob:; \
                      media-src 'self' blob:; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

macro_rules! assets {
    ($($path:literal $kind:ident $file:literal),* $(,)?) => {
        &[$(Asset { path: $path, content_type: $kind, content: include_str!(concat!("../web/", $file)) }),*]
    };
}

const ASSETS: &[Asset] = assets![
    "/" HTML "index.html",
    "/page/page.css" CSS "page.css",
    "/page/page.js" JAVASCRIPT "page.js",
    "/page/chat.css" CSS "page/chat.css",
    "/page/actions.js" JAVASCRIPT "page/actions.js",
    "/page/avatar.js" JAVASCRIPT "page/avatar.js",
    "/page/chat-pane.js" JAVASCRIPT "page/chat-pane.js",
    "/page/chat.js" JAVASCRIPT "page/chat.js",
    "/page/composer.js" JAVASCRIPT "page/composer.js",
    "/page/connection.js" JAVASCRIPT "page/connection.js",
    "/page/demo.js" JAVASCRIPT "page/demo.js",
    "/page/dialogs.js" JAVASCRIPT "page/dialogs.js",
    "/page/dom.js" JAVASCRIPT "page/dom.js",
    "/page/error-words.js" JAVASCRIPT "page/error-words.js",
    "/page/files.js" JAVASCRIPT "page/files.js",
    "/page/format.js" JAVASCRIPT "page/format.js",
    "/page/group.js" JAVASCRIPT "page/group.js",
    "/page/labels.js" JAVASCRIPT "page/labels.js",
    "/page/layout.js" JAVASCRIPT "page/layout.js",
    "/page/list.js" JAVASCRIPT "page/list.js",
    "/page/menu.js" JAVASCRIPT "page/menu.js",
    "/page/message-bubble.js" JAVASCRIPT "page/message-bubble.js",
    "/page/message-log.js" JAVASCRIPT "page/message-log.js",
    "/page/presence.js" JAVASCRIPT "page/presence.js",
    "/page/room.js" JAVASCRIPT "page/room.js",
    "/page/search.js" JAVASCRIPT "page/search.js",
    "/page/signin.js" JAVASCRIPT "page/signin.js",
    "/page/talk.js" JAVASCRIPT "page/talk.js",
    "/page/text.js" JAVASCRIPT "page/text.js",
    "/page/theme.js" JAVASCRIPT "page/theme.js",
    "/page/words.js" JAVASCRIPT "page/words.js",
    "/console" HTML "console/index.html",
    "/console/console.css" CSS "console/console.css",
    "/console/console.js" JAVASCRIPT "console/console.js",
    "/console/api.js" JAVASCRIPT "console/api.js",
    "/console/ask.js" JAVASCRIPT "console/ask.js",
    "/console/chart.js" JAVASCRIPT "console/chart.js",
    "/console/history.js" JAVASCRIPT "console/history.js",
    "/console/keys.js" JAVASCRIPT "console/keys.js",
    "/console/lists.js" JAVASCRIPT "console/lists.js",
    "/console/overview.js" JAVASCRIPT "console/overview.js",
    "/console/parts.js" JAVASCRIPT "console/parts.js",
    "/console/people.js" JAVASCRIPT "console/people.js",
    "/console/rooms.js" JAVASCRIPT "console/rooms.js",
    "/console/signin.js" JAVASCRIPT "console/signin.js",
    "/console/system.js" JAVASCRIPT "console/system.js",
    "/console/tail.js" JAVASCRIPT "console/tail.js",
    "/console/text.js" JAVASCRIPT "console/text.js",
    "/console/webhooks.js" JAVASCRIPT "console/webhooks.js",
    "/docs/" HTML "docs/index.html",
    "/docs/api" HTML "docs/api.html",
    "/docs/protocol" HTML "docs/protocol.html",
    "/docs/server-api" HTML "docs/server-api.html",
    "/docs/coming-from-zim" HTML "docs/coming-from-zim.html",
    "/docs/postgres" HTML "docs/postgres.html",
    "/docs/cluster" HTML "docs/cluster.html",
    "/docs/webhooks" HTML "docs/webhooks.html",
    "/docs/your-page" HTML "docs/your-page.html",
    "/docs/embedding" HTML "docs/embedding.html",
    "/docs/vendor-api" HTML "docs/vendor-api.html",
    "/docs/deploying" HTML "docs/deploying.html",
    "/docs/configuration" HTML "docs/configuration.html",
    "/docs/operating" HTML "docs/operating.html",
    "/docs/promises" HTML "docs/promises.html",
    "/docs/inside" HTML "docs/inside.html",
    "/docs/measurements" HTML "docs/measurements.html",
    "/docs/docs.css" CSS "docs/docs.css",
    "/docs/docs.js" JAVASCRIPT "docs/docs.js",
    "/sdk/tidings.js" JAVASCRIPT "tidings.js",
    "/sdk/tidings.global.js" JAVASCRIPT "tidings.global.js",
    "/sdk/tidings.d.ts" PLAIN "tidings.d.ts",
];

/// One route per file; and the scope itself, or the documentation, without its slash leads to the page.
pub(super) fn configure(broker: &Broker, app: &mut web::ServiceConfig) {
    let has_console = broker.config().console.enabled;
    for asset in ASSETS.iter().filter(|asset| has_console || !asset.is_of_console()) {
        app.route(asset.path, read(move |request: HttpRequest| async move { serve(asset, &request) }));
    }
    for path in ["", "/docs"] {
        app.route(path, read(to_page));
    }
    if has_console {
        app.route("/console/", read(to_console));
    }
}

/// Its links are relative to the folder it is in.
async fn to_console(request: HttpRequest) -> HttpResponse {
    let path = request.path().trim_end_matches('/');
    HttpResponse::PermanentRedirect().insert_header((header::LOCATION, path)).finish()
}

/// The page's links are relative to its folder, so it must be asked for with the slash.
async fn to_page(request: HttpRequest) -> HttpResponse {
    HttpResponse::PermanentRedirect().insert_header((header::LOCATION, format!("{}/", request.path()))).finish()
}

fn serve(asset: &Asset, request: &HttpRequest) -> HttpResponse {
    let tag = format!("\"{:08x}\"", crc32fast::hash(asset.content.as_bytes()));
    let known = request.headers().get(header::IF_NONE_MATCH).is_some_and(|value| value.as_bytes() == tag.as_bytes());
    let mut response = if known { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    response
        .insert_header((header::ETAG, tag))
        .insert_header((header::CACHE_CONTROL, "no-cache"))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((header::REFERRER_POLICY, "no-referrer"))
        .insert_header((header::CONTENT_SECURITY_POLICY, if asset.is_of_console() { POLICY_OF_CONSOLE } else { POLICY }));
    if asset.path.starts_with("/sdk/") {
        // The same for everybody: a page of another origin may import it.
        response.insert_header((header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"));
    }
    if known { response.finish() } else { response.content_type(asset.content_type).body(asset.content) }
}
