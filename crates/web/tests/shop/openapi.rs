//! The API's description of itself.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::Value;

use crate::routes::routes;
use crate::{Shop, read};

/// What only a browser asks for: the page that shows the document, and the files of pages. The document is about the
/// rest.
const PAGES_FOR_BROWSERS: [&str; 3] = ["/docs", "/docs/{file:.*}", "/static"];

#[tokio::test]
async fn the_document_is_openapi_3_1_and_names_every_endpoint() {
    let shop = Shop::open().await;

    let document = shop.get("/api/openapi.json").await.json();

    assert!(document["openapi"].as_str().unwrap().starts_with("3.1."));
    let described: BTreeSet<String> =
        endpoints(&document).map(|(path, method)| format!("{method} {path}")).collect();
    let routes = routes().into_iter().filter(|route| !PAGES_FOR_BROWSERS.contains(&route.path));
    let served: BTreeSet<String> = routes
        .flat_map(|route| route.methods.into_iter().map(move |method| format!("{method} {}", route.path)))
        .collect();
    assert_eq!(described, served, "the document and routes.rs");
    assert!(served.contains("POST /api/orders") && served.contains("GET /api/products/{id}"), "{served:?}");
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

        let responses = &document["paths"][path][method.to_lowercase()]["responses"];
        let success = if path == "/buy" || path == "/reset" { "303" } else { "200" };
        assert_eq!(answer.status.as_str(), success, "{method} {path}: {}", answer.body);
        for name in responses[success]["headers"].as_object().unwrap().keys() {
            assert!(name == "Idempotency-Replayed" || !answer.header(name).is_empty());
        }
        let schema = &responses[success]["content"]["application/json"]["schema"];
        let body = serde_json::from_str::<Value>(&answer.body).unwrap_or_default();
        let item =
            if schema["type"] == "array" { (&schema["items"], body[0].clone()) } else { (schema, body) };
        if item.0["$ref"].is_string() {
            assert_fits(&document, item.0, &item.1);
        }
    }
}

#[tokio::test]
async fn it_says_what_a_key_must_be() {
    let shop = Shop::open().await;

    let document = shop.get("/api/openapi.json").await.json();

    let parameters = document["paths"]["/api/orders"]["post"]["parameters"].as_array().unwrap().clone();
    let key = parameters.iter().find(|parameter| parameter["name"] == "Idempotency-Key").unwrap();
    let said = key["description"].as_str().unwrap();
    assert!(
        said.contains(
            "random key for each purchase, such as a UUID of version 4: nobody must be able to guess it"
        ),
        "{said}"
    );
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

#[tokio::test]
async fn every_operation_names_what_the_middlewares_answer() {
    let shop = Shop::open().await;
    let document = shop.get("/api/openapi.json").await.json();

    for (path, method) in endpoints(&document) {
        let responses = &document["paths"][path][method.to_lowercase()]["responses"];
        for status in ["400", "408", "413", "414", "421", "431", "503"] {
            let response = &responses[status];
            assert!(!response["description"].as_str().unwrap().is_empty(), "{method} {path} {status}");
            for header in ["X-Served-By", "X-Request-Id"] {
                assert!(response["headers"][header].is_object(), "{method} {path} {status}");
            }
            let body = &response["content"]["application/problem+json"]["schema"]["$ref"];
            assert_eq!(body == "#/components/schemas/Problem", method != "HEAD", "{method} {path} {status}");
        }
        assert_eq!(responses["403"].is_object(), method == "POST", "{method} {path}");
        assert!(responses["503"]["headers"]["Retry-After"].is_object(), "{method} {path}");
    }
    let outcome = &document["components"]["schemas"]["Problem"]["properties"]["outcome"];
    assert_eq!(outcome["enum"], serde_json::json!(["unknown"]));
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
