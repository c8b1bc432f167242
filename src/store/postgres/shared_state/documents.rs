//! Documents of operators, as a broker replaces them, and as the command line reads and replaces them.

use std::io;
use std::path::PathBuf;

use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Error};

use crate::documents::{DocumentVersion, Documents};
use crate::store::error::{OpenError, StoreError};
use crate::store::postgres::connect::{Database, shown};
use crate::store::postgres::known_documents::ALL;
use crate::store::postgres::options::PostgresOptions;
use crate::store::postgres::place::unsigned;
use crate::store::postgres::read::Reader;
use crate::store::postgres::wait::wait_alone;
use crate::store::postgres::{migrate, status};

const FOUND: &str = "INSERT INTO documents (name, content) VALUES ($1, $2) ON CONFLICT DO NOTHING RETURNING version";
const REPLACE: &str = "UPDATE documents SET content = $2, version = nextval('document_versions')
    WHERE name = $1 AND content = $3 RETURNING version";

/// Returns what puts a document in the place of another, and its parameters.
fn replacing<'a>(name: &'a String, before: Option<&'a Vec<u8>>, after: &'a Vec<u8>) -> (&'static str, Vec<&'a (dyn ToSql + Sync)>) {
    match before {
        Some(before) => (REPLACE, vec![name, after, before]),
        None => (FOUND, vec![name, after]),
    }
}

/// Names a document in errors.
pub(super) fn place(name: &str) -> PathBuf {
    format!("tidings.documents/{name}").into()
}

/// Puts a document in the place of another. Blocks.
pub(super) fn replace(reader: &Reader, name: &str, before: Option<&[u8]>, after: &[u8]) -> Result<bool, StoreError> {
    let (name, before, after) = (name.to_owned(), before.map(<[u8]>::to_vec), after.to_vec());
    reader.wait(async move |reader| {
        let connection = reader.connection().await?;
        let (text, params) = replacing(&name, before.as_ref(), &after);
        let replaced = connection.row(text, &params).await?;
        // Whoever was not first must see what is there now.
        reader.state.documents.learn(connection.rows(ALL, &[]).await?);
        Ok(replaced.is_some())
    })
}

/// Documents in a database whose store this process does not own: for the command line.
#[derive(Debug)]
pub struct PostgresDocuments {
    options: PostgresOptions,
}

impl PostgresDocuments {
    /// Brings the tables forward. Blocks.
    ///
    /// # Errors
    /// As [`PostgresStore::open`](super::super::PostgresStore::open), but that somebody owns the store.
    pub fn open(options: PostgresOptions) -> Result<Self, OpenError> {
        let (database, place) = (Database::of(&options)?, shown(&options.url));
        let asked = options.clone();
        wait_alone(&place.clone(), async move { migrate::bring_forward(&asked, &database, &place).await.map(drop) })?;
        Ok(Self { options })
    }

    fn ask<T, Q>(&self, question: impl FnOnce(Client) -> Q + Send + 'static) -> io::Result<T>
    where
        T: Send + 'static,
        Q: Future<Output = Result<T, Error>> + Send + 'static,
    {
        status::ask(&self.options, question).map_err(io::Error::other)
    }
}

impl Documents for PostgresDocuments {
    fn read(&self, name: &str) -> io::Result<Option<Vec<u8>>> {
        let name = name.to_owned();
        self.ask(async move |client| {
            let row = client.query_opt("SELECT content FROM documents WHERE name = $1", &[&name]).await?;
            Ok(row.map(|row| row.get(0)))
        })
    }

    fn version(&self, name: &str) -> Option<DocumentVersion> {
        let name = name.to_owned();
        let asked = self.ask(async move |client| client.query_opt("SELECT version FROM documents WHERE name = $1", &[&name]).await);
        asked.ok().flatten().map(|row| (unsigned(row.get(0)), 0))
    }

    fn replace(&self, name: &str, before: Option<&[u8]>, after: &[u8]) -> io::Result<bool> {
        let (name, before, after) = (name.to_owned(), before.map(<[u8]>::to_vec), after.to_vec());
        self.ask(async move |client| {
            let (text, params) = replacing(&name, before.as_ref(), &after);
            Ok(client.query_opt(text, &params).await?.is_some())
        })
    }

    fn place(&self, name: &str) -> PathBuf {
        place(name)
    }
}
