//! Bodies that are too long, too deep, cut off, or of another kind than they say.

use super::{Doors, chunk, post, post_sized, shown};

const TOO_LONG: usize = 64 * 1024 + 1;

#[tokio::test]
async fn a_length_that_is_none_is_400_and_one_over_64_kib_413() {
    let doors = Doors::open().await;
    let order = doors.order();

    for length in ["18446744073709551616", "-1", "+5", "0x10", "1e3", "5.0", "", "5, 5", "5,6", "five"] {
        let request = post(&format!("Content-Length: {length}\r\n"), &order);
        assert_eq!(doors.statuses(request).await, [400], "{length}");
    }
    for headers in
        ["Content-Length: 5\r\nContent-Length: 5\r\n", "Content-Length: 5\r\nContent-Length: 6\r\n"]
    {
        assert_eq!(doors.statuses(post(headers, &order)).await, [400], "{headers}");
    }
    for length in [u64::MAX, TOO_LONG as u64] {
        for answers in doors.ask(post(&format!("Content-Length: {length}\r\n"), &order)).await {
            assert_eq!(answers.len(), 1);
            answers[0].assert_problem(413, "The body is longer than 64 KiB");
            assert!(answers[0].head.contains("connection: close"), "{}", answers[0].head);
        }
    }
    assert_eq!(doors.shop.order_count().await, 0);
}

#[tokio::test]
async fn a_body_in_chunks_is_read_to_64_kib_and_no_further() {
    let doors = Doors::open().await;
    let order = doors.order();
    let chunked = |body: &str| post("Connection: close\r\nTransfer-Encoding: chunked\r\n", body);

    // Without an end: the answer doesn't wait for it.
    for answers in doors.ask(chunked(&chunk(&" ".repeat(TOO_LONG)))).await {
        assert_eq!(answers.len(), 1);
        answers[0].assert_problem(413, "The body is longer than 64 KiB");
    }
    let length = order.len();
    for (body, status) in [
        (format!("{}0\r\n\r\n", chunk(&order)), 200),
        (format!("{length:X}\r\n{order}\r\n0\r\n\r\n"), 200),
        (format!("0{length:x};name=value\r\n{order}\r\n0;last\r\n\r\n"), 200),
        (format!("{}0\r\nTrailer: x\r\n\r\n", chunk(&order)), 200),
        (order.chars().map(|char| chunk(&char.to_string())).collect::<String>() + "0\r\n\r\n", 200),
        ("0\r\n\r\n".to_owned(), 422),
        (format!("11111111111111111\r\n{order}\r\n0\r\n\r\n"), 400),
        (format!("-1\r\n{order}\r\n0\r\n\r\n"), 400),
        (format!("0x1\r\n{order}\r\n0\r\n\r\n"), 400),
        (format!("\r\n{order}\r\n0\r\n\r\n"), 400),
        (format!("{length:x}\n{order}\n0\n\n"), 400),
        (format!("{length:x};\n{order}\r\n0\r\n\r\n"), 400),
        (format!("5\r\n{order}\r\n0\r\n\r\n"), 400),
        (format!("{length:x}\r\n{order}0\r\n\r\n"), 400),
    ] {
        assert_eq!(doors.statuses(chunked(&body)).await[0], status, "{}", shown(body.as_bytes()));
    }
    assert_eq!(doors.shop.order_count().await, 2 * 5);
}

#[tokio::test]
async fn json_is_read_as_the_standard_says_and_no_further() {
    let doors = Doors::open().await;
    let (order, book) = (doors.order(), doors.book);
    let with = |field: &str| format!(r#"{{"product_id":"{book}",{field}}}"#).into_bytes();
    let levels = 30_000;

    for (body, status) in [
        (with(r#""a":1,"a":2"#), 200),
        (with(&format!(r#""a":{}"#, "9".repeat(60_000))), 200),
        (with(r#""a":1e999999999,"b":-0.0,"c":1E-400"#), 200),
        (with(r#""a":"\ud83e\udd9c \u0000""#), 200),
        (with(&format!(r#""product_id":"{book}""#)), 422),
        (with(r#""strategy":"unlocked","strategy":"unlocked""#), 422),
        (with(r#""strategy":"UNLOCKED""#), 422),
        (with(r#""a":"\ud800""#), 200),
        (with(r#""a":NaN"#), 422),
        (with(r#""a":01"#), 422),
        (with(r#""a":1,"#), 422),
        (with("\"a\":\"\t\""), 422),
        (with("'a':1"), 422),
        ([&with(r#""a":""#)[..], b"\xff\"}"].concat(), 422),
        // A field that nobody reads is passed over, however deep, without a stack that grows with it.
        (with(&format!(r#""a":{}{}"#, "[".repeat(levels), "]".repeat(levels))), 200),
        (format!(r#"{{"product_id":{}{}}}"#, "[".repeat(levels), "]".repeat(levels)).into_bytes(), 422),
        (with(&format!(r#""a":{}"#, "[".repeat(2 * levels))), 422),
        (with(&format!(r#""a":{}"#, r#"{"a":"#.repeat(levels / 3))), 422),
        ([b"\xef\xbb\xbf", order.as_bytes()].concat(), 422),
        (order.encode_utf16().flat_map(u16::to_le_bytes).collect(), 422),
        (b"\0".to_vec(), 422),
        (br#"{"product_id":"\u0000"}"#.to_vec(), 422),
        (br#"{"product_id":1e400}"#.to_vec(), 422),
    ] {
        assert_eq!(doors.statuses(post_sized("", &body)).await, [status], "{}", shown(&body));
    }
    // 100,000 levels are more than 64 KiB.
    let deep = with(&format!(r#""a":{}{}"#, "[".repeat(100_000), "]".repeat(100_000)));
    assert_eq!(doors.statuses(post_sized("", deep)).await, [413]);
    assert_eq!(doors.shop.order_count().await, 2 * 6);
}

#[tokio::test]
async fn only_json_is_taken_for_json_whatever_charset_it_names() {
    let doors = Doors::open().await;

    for (kind, status) in [
        ("application/json", 200),
        ("APPLICATION/JSON", 200),
        ("application/json; charset=utf-8", 200),
        // RFC 8259, section 11: JSON is UTF-8, and a charset says nothing.
        ("application/json;charset=utf-16", 200),
        ("application/vnd.shop+json", 200),
        ("text/json", 415),
        ("text/plain", 415),
        ("application/x-www-form-urlencoded", 415),
        ("multipart/form-data; boundary=x", 415),
        ("application/json, text/plain", 415),
        ("application/jsonp", 415),
        ("application", 415),
        ("\u{e9}", 415),
        ("", 415),
    ] {
        let request = post_sized(&format!("Content-Type: {kind}\r\n"), doors.order());
        assert_eq!(doors.statuses(request).await, [status], "{kind}");
    }
    assert_eq!(doors.shop.order_count().await, 2 * 5);
}

#[tokio::test]
async fn a_client_that_waits_to_be_asked_for_its_body_is_asked() {
    let doors = Doors::open().await;

    let request = post_sized("Expect: 100-continue\r\n", doors.order());
    assert_eq!(doors.statuses(request).await, [100, 200]);
    let other = post_sized("Expect: the unexpected\r\n", doors.order());
    assert_eq!(doors.statuses(other).await, [200]);
}
