//! The wiretap stands between the replicas and PostgreSQL, unless the settings or the database don't allow it.

use std::os::unix::fs::PermissionsExt;

use flash_sale_core::order;
use sea_orm::EntityTrait;

use super::distance::{databases_of_replicas, leads_through_wiretap};
use super::*;

#[tokio::test]
async fn each_replica_has_a_wire_of_its_own_in_a_folder_that_nobody_else_enters() {
    let database = TestDatabase::create().await;
    let project = Project::on(&database);
    project.up().await;

    let urls = databases_of_replicas(&project).await;
    assert!(urls.len() == 2 && urls[0] != urls[1] && urls.iter().all(|url| leads_through_wiretap(url)));
    let folder = fs::metadata(project.path().join(".flash-sale/wire")).unwrap();
    assert_eq!(folder.permissions().mode() & 0o777, 0o700);
    let click = reqwest::Client::builder().no_proxy().build().unwrap();
    let origin = project.url("");
    let click = click.post(project.url("/buy")).header("Origin", origin).send().await.unwrap();
    assert!(click.status().is_success() || click.status().is_redirection(), "{}", click.status());
    assert!(!order::Entity::find().all(&database.connection).await.unwrap().is_empty());
    project.run(&["down"]).await;
}

#[tokio::test]
async fn without_the_wiretap_the_replicas_have_the_databases_own_address() {
    let database = TestDatabase::create().await;
    let mut project = Project::on(&database);
    project.variables.push(("WIRETAP", "off".to_owned()));
    project.up().await;

    let urls = databases_of_replicas(&project).await;

    assert_eq!(urls, [database.shop_url.clone(), database.shop_url.clone()]);
    project.run(&["down"]).await;
}

#[tokio::test]
async fn where_there_can_be_no_wire_the_shop_says_so_and_sells_without_it() {
    let database = TestDatabase::create().await;
    let project = Project::on(&database);
    fs::create_dir_all(project.path().join(".flash-sale")).unwrap();
    fs::write(project.path().join(".flash-sale/wire"), "").unwrap();

    let up = project.up().await;

    assert!(up.output.contains("note: no wiretap: "), "{}", up.output);
    assert_eq!(databases_of_replicas(&project).await, [database.shop_url.clone(), database.shop_url.clone()]);
    project.run(&["down"]).await;
}

#[tokio::test]
async fn the_dashboard_shows_the_two_purchases_of_a_click() {
    let database = TestDatabase::create().await;
    let mut project = Project::on(&database);
    let port = flash_sale_testbed::port::free_port().unwrap();
    project.variables.push(("DASHBOARD_PORT", port.to_string()));
    let dashboard = format!("http://localhost:{port}");

    let up = project.up().await;
    assert!(
        up.output.contains(&format!("the shop's transactions are shown at {dashboard}")),
        "{}",
        up.output
    );
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let click = client.post(project.url("/buy")).header("Origin", project.url("")).send().await.unwrap();
    assert!(click.status().is_success() || click.status().is_redirection(), "{}", click.status());

    let orders = order::Entity::find().all(&database.connection).await.unwrap();
    let answer = client.get(format!("{dashboard}/api/transactions?limit=100")).send().await.unwrap();
    let transactions: Vec<serde_json::Value> = answer.json().await.unwrap();
    for order in orders {
        let purchase = transactions.iter().find(|seen| seen["order_id"] == order.id.to_string()).unwrap();
        assert_eq!(
            (&purchase["replica"], &purchase["outcome"]),
            (&order.served_by.into(), &"committed".into())
        );
    }
    let page = client.get(&dashboard).send().await.unwrap().text().await.unwrap();
    assert!(page.contains("<svg") && page.contains("replica-2"), "{page}");
    project.run(&["down"]).await;
}
