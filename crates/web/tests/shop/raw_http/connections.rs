//! Several requests on one connection, and requests for another protocol.

use super::{Doors, assert_last, get, post_sized, statuses};

#[tokio::test]
async fn requests_sent_at_once_are_answered_in_order() {
    let doors = Doors::open().await;
    let order = doors.order();
    let mut requests = String::new();
    for number in 0..30 {
        let id = format!("Host: 127.0.0.1\r\nX-Request-Id: number-{number}\r\n");
        requests += &match number % 3 {
            0 => format!("GET /health HTTP/1.1\r\n{id}\r\n"),
            1 => format!("POST /api/orders HTTP/1.1\r\n{id}Content-Length: {}\r\n\r\n{order}", order.len()),
            _ => format!("GET /nowhere HTTP/1.1\r\n{id}Content-Length: 4\r\n\r\nGET "),
        };
    }
    requests += &get("/api/products");

    for answers in doors.ask(&requests).await {
        assert_eq!(statuses(&answers), [[200, 200, 404].repeat(10), vec![200]].concat());
        for (number, answer) in answers[..30].iter().enumerate() {
            assert!(answer.head.contains(&format!("x-request-id: number-{number}\r\n")), "{}", answer.head);
            assert_eq!(answer.body.contains("served_by"), number % 3 == 1, "{}", answer.body);
        }
    }
    assert_eq!(doors.shop.order_count().await, 2 * 10);
}

#[tokio::test]
async fn no_request_is_carried_out_behind_one_that_ends_its_connection() {
    let doors = Doors::open().await;
    let order = post_sized("", doors.order());

    let closing = get("/health");
    for answers in doors.ask([closing.as_bytes(), &order].concat()).await {
        assert_last(&answers, 200);
    }
    assert_eq!(doors.shop.order_count().await, 0);
}

#[tokio::test]
async fn another_protocol_is_not_switched_to() {
    let doors = Doors::open().await;
    let upgrade = |protocol: &str| {
        format!("Connection: Upgrade, close\r\nUpgrade: {protocol}\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n")
    };

    for protocol in ["h2c", "websocket", "TLS/1.0"] {
        let request = get("/health").replace("Connection: close\r\n", &upgrade(protocol));
        assert_eq!(doors.statuses(request).await, [200], "{protocol}");
        let request = post_sized(&format!("Upgrade: {protocol}\r\n"), doors.order());
        let with_another = [&request[..], &post_sized("", doors.order())].concat();
        for answers in doors.ask(with_another).await {
            assert_last(&answers, 200);
        }
    }
    assert_eq!(doors.shop.order_count().await, 2 * 3);
}
