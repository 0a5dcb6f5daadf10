//! The databases of a private PostgreSQL.

use std::str::FromStr;

use sea_orm::sqlx::postgres::{PgConnectOptions, PgConnection};
use sea_orm::sqlx::{self, AssertSqlSafe, Connection, Executor};

use super::Cluster;

impl Cluster {
    /// Makes a database if there is none.
    ///
    /// # Errors
    /// When the server fails.
    pub async fn ensure_database(&self, database: &str) -> anyhow::Result<()> {
        let mut connection = self.connect("postgres").await?;
        let sql = "SELECT FROM pg_database WHERE datname = $1";
        let found = sqlx::query(sql).bind(database).fetch_optional(&mut connection).await?;
        if found.is_none() {
            let create = format!(r#"CREATE DATABASE "{database}""#);
            connection.execute(AssertSqlSafe(create)).await?;
        }
        // The other databases are for their owner alone.
        connection.execute("REVOKE ALL ON DATABASE postgres, template1 FROM PUBLIC").await?;
        connection.close().await?;
        Ok(())
    }

    /// Makes a database that is empty. If there is one of this name, it is removed first.
    ///
    /// # Errors
    /// When the server fails.
    pub async fn remake_database(&self, database: &str) -> anyhow::Result<()> {
        let mut connection = self.connect("postgres").await?;
        let drop = format!(r#"DROP DATABASE IF EXISTS "{database}" WITH (FORCE)"#);
        connection.execute(AssertSqlSafe(drop)).await?;
        connection.close().await?;
        self.ensure_database(database).await
    }

    /// Gives a setting this value in all sessions of the database that begin later.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn set_for_database(&self, database: &str, name: &str, value: &str) -> anyhow::Result<()> {
        let mut connection = self.connect("postgres").await?;
        let alter = format!(r#"ALTER DATABASE "{database}" SET {name} = '{value}'"#);
        connection.execute(AssertSqlSafe(alter)).await?;
        Ok(connection.close().await?)
    }

    pub(super) async fn connect(&self, database: &str) -> Result<PgConnection, sqlx::Error> {
        let options = PgConnectOptions::from_str(&self.url(database))?.application_name("lab");
        PgConnection::connect_with(&options).await
    }
}
