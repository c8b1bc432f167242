//! The broker over HTTP: WebSocket, page, client, health. The only layer that names actix-web.
//!
//! | route | |
//! |---|---|
//! | `GET /ws` | the wire protocol |
//! | `GET /`, `/page/…` | the demo page |
//! | `GET /sdk/tidings.js`, `/sdk/tidings.global.js`, `/sdk/tidings.d.ts` | the client, as a module and as a classic script |
//! | `POST /demo/token` | a token for anyone: on loopback with a generated secret, for who shows the demo key |
//! | `POST /media/uploads`, `/media/tus` | a file in one request, or one that can be resumed |
//! | `GET /media/{fileUID}/{rendition}` | a file, for whoever sees a message that carries it |
//! | `/api/v1/…` | the server API, for backends with a key |
//! | `GET /console`, `/console/…` | the operator's page, and signing in to it |
//! | `/?Action=…` | the same in the vendor's shape, where it is switched on |
//! | `GET /healthz`, `/readyz` | for whoever operates it |
//! | `GET /metrics`, `/metrics/dashboard.json`, `/metrics/alerts.yml` | figures, a Grafana dashboard of them, and rules for Prometheus: where `private` shows them |

mod api;
mod audit;
mod bearer;
mod body;
#[cfg(feature = "tls")]
mod certificate;
mod client_address;
mod console;
mod demo;
mod head;
mod health;
mod media;
mod origin;
mod paced_body;
mod pages;
mod private;
mod problem;
mod serve;
mod socket;
#[cfg(feature = "postgres")]
mod standby;
#[cfg(feature = "tls")]
mod tls;
mod vendor;

use actix_web::web;

use crate::broker::Broker;

pub use serve::{ServeError, Server};
#[cfg(feature = "postgres")]
pub use standby::{ActiveView, StandbyServer};
#[cfg(feature = "tls")]
pub use tls::{TlsError, certificate_end};

impl Broker {
    /// Mounts every route on a host's own actix-web application, under any scope:
    /// `App::new().service(web::scope("/im").configure(|app| broker.configure(app)))`.
    /// Give the host's `HttpServer` [`Broker::on_connect`] as well.
    pub fn configure(&self, app: &mut web::ServiceConfig) {
        app.app_data(web::Data::new(self.clone()))
            .route("/ws", web::get().to(socket::hosted::connect))
            .route("/demo/token", web::post().to(demo::token))
            .configure(health::configure)
            .configure(|app| media::configure(self, app))
            .configure(|app| api::configure(self, app))
            .configure(|app| console::configure(self, app))
            // Before the page, which is at the same path.
            .configure(|app| vendor::configure(self, app))
            .configure(|app| pages::configure(self, app));
    }

    /// Mounts what only the operator may see on a host's own server at an address that strangers do not reach: metrics, health and
    /// `/api/v1/openapi.json`. [`Broker::configure`] shows metrics and description only with `server.metrics_public`.
    pub fn configure_private(&self, app: &mut web::ServiceConfig) {
        let of_private_port = app.app_data(web::Data::new(self.clone())).app_data(private::PrivatePort);
        of_private_port.configure(health::configure).configure(api::configure_document);
    }
}
