//! The parts that all operations share: the answers of the middlewares, the headers of every answer, the body of every
//! error, and HEAD beside GET.

use utoipa::Modify;
use utoipa::openapi::path::{Operation, Parameter, ParameterBuilder, ParameterIn, PathItem};
use utoipa::openapi::schema::{KnownFormat, ObjectBuilder, Schema, SchemaFormat, Type};
use utoipa::openapi::{ContentBuilder, Header, OpenApi, Ref, RefOr, Required, Response};

use crate::middleware::PROBLEM_JSON;

/// The answers that any request may get.
const OF_ANY: [(&str, &str); 7] = [
    ("400", "The request can't be read, or doesn't name its host clearly"),
    ("408", "The request took longer than 5 s to arrive; the connection is closed"),
    ("413", "The body is longer than 64 KiB"),
    ("414", "The URL is longer than 32 KiB; the connection is closed"),
    ("421", "This shop is not the host that was asked for"),
    ("431", "The head is longer than 32 KiB, or has more than 96 fields; the connection is closed"),
    (
        "503",
        "With `Retry-After`: the database is away or too busy, or another request was in the way; the request was not \
         carried out and won't be. \
         With `outcome`: the outcome is unknown; a request with an Idempotency-Key can be sent again with the same \
         key, and gets the outcome",
    ),
];

/// The answer that any request may get that changes something.
const OF_CHANGES: (&str, &str) = ("403", "The request comes from another site's page");

/// Adds all of it to the handlers' descriptions.
pub struct SharedAnswers;

impl Modify for SharedAnswers {
    fn modify(&self, document: &mut OpenApi) {
        for item in document.paths.paths.values_mut() {
            if let Some(get) = &mut item.get {
                complete(get);
            }
            if let Some(post) = &mut item.post {
                add_answer(post, OF_CHANGES);
                complete(post);
            }
            add_head(item);
        }
        name_the_only_outcome(document);
    }
}

fn complete(operation: &mut Operation) {
    OF_ANY.into_iter().for_each(|answer| add_answer(operation, answer));
    operation.parameters.get_or_insert_default().push(request_id_parameter().into());
    let is_page = has_tag(operation, "pages");
    let takes_key = operation.operation_id.as_deref() == Some("create_order");
    for (status, response) in &mut operation.responses.responses {
        let RefOr::T(response) = response else { continue };
        add_headers(response, status);
        if takes_key && matches!(status.as_str(), "200" | "400" | "404" | "422") {
            response.headers.insert("Idempotency-Replayed".to_owned(), replayed().into());
        }
        if status.starts_with(['4', '5']) {
            add_error_body(response, is_page);
        }
    }
}

/// A handler's own words for the same status come first.
fn add_answer(operation: &mut Operation, (status, description): (&str, &str)) {
    let answer = operation.responses.responses.entry(status.to_owned());
    let answer = answer.or_insert_with(|| Response::new("").into());
    if let RefOr::T(response) = answer {
        if !response.description.is_empty() {
            response.description += ". Also: ";
        }
        response.description += description;
    }
}

fn request_id_parameter() -> Parameter {
    ParameterBuilder::new()
        .name("X-Request-Id")
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some("Comes back if it is 1 to 128 visible ASCII characters, and is replaced otherwise"))
        .schema(Some(ObjectBuilder::new().schema_type(Type::String)))
        .build()
}

fn add_headers(response: &mut Response, status: &str) {
    let text = |description: &str, longest: usize| {
        let schema = ObjectBuilder::new().schema_type(Type::String).min_length(Some(1));
        describe(Header::new(schema.max_length(Some(longest)).pattern(Some("^[!-~]+$"))), description)
    };
    let mut add = |name: &str, header: Header| response.headers.insert(name.to_owned(), header.into());
    add("X-Served-By", text("The replica that answers", 63));
    add("X-Request-Id", text("The request's id, which stands in the log too", 128));
    if matches!(status, "409" | "503") {
        let seconds = ObjectBuilder::new()
            .schema_type(Type::Integer)
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::Int32)))
            .minimum(Some(1));
        add(
            "Retry-After",
            describe(Header::new(seconds), "Seconds after which the same request may succeed"),
        );
    }
}

fn replayed() -> Header {
    let schema = ObjectBuilder::new().schema_type(Type::String).enum_values(Some(["true"]));
    describe(Header::new(schema), "Only on an answer that this Idempotency-Key was given before")
}

fn describe(mut header: Header, description: &str) -> Header {
    header.description = Some(description.to_owned());
    header
}

/// A problem document, or a page where a person may have asked.
fn add_error_body(response: &mut Response, is_page: bool) {
    let problem = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem")));
    response.content.insert(PROBLEM_JSON.to_owned(), problem.into());
    if is_page {
        let page = ContentBuilder::new().schema(Some(ObjectBuilder::new().schema_type(Type::String)));
        response.content.insert("text/html".to_owned(), page.into());
    }
}

/// HEAD is answered as GET, without the body.
fn add_head(item: &mut PathItem) {
    let Some(mut head) = item.get.clone() else { return };
    head.operation_id = head.operation_id.map(|id| format!("head_{id}"));
    head.summary = Some("As GET, without the body.".to_owned());
    head.tags = Some(vec!["HEAD".to_owned()]);
    for response in head.responses.responses.values_mut() {
        if let RefOr::T(response) = response {
            response.content.clear();
        }
    }
    item.head = Some(head);
}

fn has_tag(operation: &Operation, tag: &str) -> bool {
    operation.tags.iter().flatten().any(|name| name == tag)
}

/// The code has a text in this field. The document says that there is only one such text.
fn name_the_only_outcome(document: &mut OpenApi) {
    let schemas = document.components.as_mut().map(|components| &mut components.schemas);
    if let Some(RefOr::T(Schema::Object(problem))) = schemas.and_then(|schemas| schemas.get_mut("Problem")) {
        let only = ObjectBuilder::new()
            .schema_type(Type::String)
            .enum_values(Some(["unknown"]))
            .description(Some("Only with 503, and only when the outcome of the request is unknown"));
        problem.properties.insert("outcome".to_owned(), only.into());
    }
}
