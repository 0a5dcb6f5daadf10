//! A replica whose log can't be written, because nobody reads it any more or the disk is full: it sells all the same.

use std::fs::File;
use std::io;
use std::process::Stdio;

use flash_sale_testbed::port::free_port;
use flash_sale_testbed::testing::wait_until;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use tokio::process::Command;

use crate::{SHOP, Shop, new_client, read};

fn unread() -> Stdio {
    let (reader, writer) = io::pipe().unwrap();
    drop(reader);
    writer.into()
}

fn full() -> Stdio {
    File::options().write(true).open("/dev/full").unwrap().into()
}

#[tokio::test]
async fn a_replica_whose_log_can_not_be_written_sells_and_ends_in_order() {
    let shop = Shop::open().await;
    let book = shop.book().await;

    for (name, output) in [("unread", unread as fn() -> Stdio), ("full", full)] {
        shop.execute("UPDATE products SET quantity = 1").await;
        let port = free_port().unwrap();
        let mut replica = Command::new(SHOP)
            .env_clear()
            .envs([
                ("DATABASE_URL", &*shop.database.shop_url),
                ("PORT", &port.to_string()),
                ("RUST_LOG", "debug"),
            ])
            .stdout(output())
            .stderr(output())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let url = format!("http://127.0.0.1:{port}");
        let health = format!("{url}/health");
        wait_until("it answers", async || flash_sale_testbed::http::answers_ok(&health).await).await;

        let order = new_client().post(format!("{url}/api/orders")).json(&json!({ "product_id": book }));
        assert_eq!(read(order).await.status, 200, "{name}");
        assert_eq!(read(new_client().get(format!("{url}/nothing"))).await.status, 404, "{name}");

        let pid = Pid::from_raw(replica.id().unwrap().cast_signed()).unwrap();
        kill_process(pid, Signal::TERM).unwrap();
        assert_eq!(replica.wait().await.unwrap().code(), Some(0), "{name}");
    }
    assert_eq!(shop.order_count().await, 2);
}

#[tokio::test]
async fn what_ends_a_replica_at_its_start_does_so_with_its_exit_code_though_nobody_reads_why() {
    for output in [unread as fn() -> Stdio, full] {
        for argument in [None, Some("nothing"), Some("healthcheck")] {
            let mut replica = Command::new(SHOP);
            replica.env_clear().env("PORT", "none").args(argument).stdout(output()).stderr(output());
            assert_eq!(replica.status().await.unwrap().code(), Some(1), "{argument:?}");
        }
    }
}
