//! The API's description of itself.

use reqwest::Method;
use serde_json::Value;

use crate::{Shop, read};

#[tokio::test]
async fn the_document_is_openapi_3_1_and_names_every_endpoint() {
    let shop = Shop::open().await;

    let document = shop.get("/api/openapi.json").await.json();

    assert!(document["openapi"].as_str().unwrap().starts_with("3.1."));
    let mut endpoints: Vec<String> =
        endpoints(&document).map(|(path, method)| format!("{method} {path}")).collect();
    endpoints.sort();
    let expected = [
        "GET /api/orders",
        "GET /api/products",
        "GET /api/products/{id}",
        "GET /api/strategies",
        "GET /health",
        "GET /ready",
        "POST /api/orders",
        "POST /api/reset",
    ];
    assert_eq!(endpoints, expected);
}

#[tokio::test]
async fn each_endpoint_answers_as_the_document_says() {
    let shop = Shop::open().await;
    let book = shop.book().await;
    shop.execute("UPDATE products SET quantity = 2").await;
    shop.buy_on(0, book).await;
    let document = shop.get("/api/openapi.json").await.json();

    for (path, method) in endpoints(&document) {
        let request =
            shop.request(method.parse::<Method>().unwrap(), &path.replace("{id}", &book.to_string()));
        let answer = read(request.body(format!(r#"{{"product_id":"{book}"}}"#))).await;

        assert_eq!(answer.status, 200, "{method} {path}: {}", answer.body);
        let operation = &document["paths"][path][method.to_lowercase()];
        let schema = &operation["responses"]["200"]["content"]["application/json"]["schema"];
        let item = if schema["type"] == "array" {
            (&schema["items"], answer.json()[0].clone())
        } else {
            (schema, answer.json())
        };
        assert_fits(&document, item.0, &item.1);
    }
}

#[tokio::test]
async fn the_docs_page_loads_nothing_from_elsewhere() {
    let shop = Shop::open().await;

    let moved = shop.get("/docs").await;
    assert_eq!((moved.status.as_u16(), moved.header("location")), (308, "/docs/"));
    let page = shop.get("/docs/").await;
    assert_eq!(page.header("content-type"), "text/html");
    assert!(page.header("content-security-policy").contains("script-src 'self'"));

    let files: Vec<&str> = page
        .body
        .split(['"', '\''])
        .filter(|part| part.starts_with("./") || part.ends_with(".css"))
        .collect();
    assert!(files.len() >= 5, "{files:?}");
    for file in files {
        let answer = shop.get(&format!("/docs/{}", file.trim_start_matches("./"))).await;
        assert_eq!(answer.status, 200, "{file}");
    }
    assert!(!page.body.contains("http://") && !page.body.contains("https://"), "{}", page.body);
    let initializer = shop.get("/docs/swagger-initializer.js").await;
    assert!(initializer.body.contains("/api/openapi.json"));
}

fn endpoints(document: &Value) -> impl Iterator<Item = (&str, String)> {
    document["paths"].as_object().unwrap().iter().flat_map(|(path, methods)| {
        methods.as_object().unwrap().keys().map(move |method| (path.as_str(), method.to_uppercase()))
    })
}

/// Asserts that the value has exactly the properties that the schema requires.
#[track_caller]
fn assert_fits(document: &Value, schema: &Value, value: &Value) {
    let name = schema["$ref"].as_str().unwrap().rsplit('/').next().unwrap();
    let required = document["components"]["schemas"][name]["required"].as_array().unwrap();
    let mut required: Vec<&str> = required.iter().map(|property| property.as_str().unwrap()).collect();
    let mut present: Vec<&str> = value.as_object().unwrap().keys().map(String::as_str).collect();
    required.sort_unstable();
    present.sort_unstable();
    assert_eq!(present, required, "{name}");
}
