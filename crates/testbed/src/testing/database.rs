//! A database for each test alone.

use flash_sale_core::database::{DatabaseSettings, connect};
use sea_orm::DatabaseConnection;

use super::cluster::{Content, create, drop_soon};

/// A database that no other test sees. It is dropped together with this value.
pub struct TestDatabase {
    /// The URL for the database's owner.
    pub url: String,
    /// The URL for the shop, whose role owns nothing.
    pub shop_url: String,
    /// Five connections of the owner, with the shop's own limits. Tests prepare rows with them, and look at rows.
    pub connection: DatabaseConnection,
}

impl TestDatabase {
    /// Makes a database with the schema and its one book. The first call in a process also starts PostgreSQL.
    ///
    /// # Panics
    /// When PostgreSQL can't be started.
    pub async fn create() -> Self {
        Self::with(Content::Migrated).await
    }

    /// Makes a database without the schema, for tests of the migrations.
    ///
    /// # Panics
    /// The same as those of [`TestDatabase::create`].
    pub async fn create_empty() -> Self {
        Self::with(Content::Nothing).await
    }

    async fn with(content: Content) -> Self {
        let urls = create(content).await.unwrap_or_else(|error| panic!("no test database: {error:?}"));
        let (url, shop_url) = (urls.owner.reveal().to_owned(), urls.shop.reveal().to_owned());
        let settings =
            DatabaseSettings { url: url.clone(), application_name: "test".to_owned(), pool_size: 5 };
        let connection = connect(&settings).await.expect("the URL is ours");
        Self { url, shop_url, connection }
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        drop_soon(&self.url);
    }
}
