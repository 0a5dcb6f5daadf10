//! `GET /`: the shop.

use actix_web::http::{Method, header::ContentType};
use actix_web::web::{Data, ReqData};
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;
use chrono::{SecondsFormat, TimeDelta};
use flash_sale_core::order;
use flash_sale_services::{ShopService, ShopWindow};

use crate::checkout::Attempt;
use crate::notice::Notice;
use crate::problem::Problem;
use crate::replica_name::ReplicaName;
use crate::request_id::RequestId;
use crate::view::short_id;

/// Orders on the page. The API lists more.
const ROWS: usize = 100;

/// `shop.html`
#[derive(Template)]
#[template(path = "shop.html")]
struct ShopPage {
    replica: String,
    request_id: String,
    book: Book,
    orders: Vec<OrderRow>,
    order_count: u64,
    notice: Option<NoticeView>,
}

struct Book {
    title: String,
    author: String,
    year: i32,
    price: String,
    quantity: i32,
}

struct NoticeView {
    heading: &'static str,
    text: String,
    attempts: Vec<Attempt>,
}

struct OrderRow {
    id: String,
    short_id: String,
    date: String,
    time: String,
    datetime: String,
    served_by: String,
    gap: Option<String>,
}

/// The book, its stock, its orders, and once what the last form did.
#[utoipa::path(get, path = "/", tag = "pages", operation_id = "show_shop", responses(
    (status = 200, description = "The page", body = String, content_type = "text/html"),
    (status = 404, description = "The shop is empty"),
))]
pub async fn show(
    request: HttpRequest,
    shop: Data<ShopService>,
    replica: ReqData<ReplicaName>,
    request_id: ReqData<RequestId>,
) -> Result<HttpResponse, Problem> {
    // One more than shown: the last row's gap needs the order before it.
    let window = shop.get_window(ROWS as u64 + 1).await?;
    let notice = Notice::from_request(&request);

    let mut response = HttpResponse::Ok();
    if notice.is_some() && request.method() == Method::GET {
        Notice::forget(&mut response);
    }
    let page = ShopPage::new(window, notice, replica.into_inner().0, request_id.into_inner().0);
    let html = page.render().map_err(|error| {
        log::error!("shop.html: {error}");
        Problem::internal()
    })?;
    Ok(response.content_type(ContentType::html()).body(html))
}

impl ShopPage {
    fn new(window: ShopWindow, notice: Option<Notice>, replica: String, request_id: String) -> Self {
        let gaps = window.orders.iter().zip(window.orders.iter().skip(1));
        let gaps = gaps.map(|(order, previous)| Some(gap_in_words(order.created_at - previous.created_at)));
        let rows = window.orders.iter().zip(gaps.chain([None])).take(ROWS);
        let product = window.product;
        Self {
            replica,
            request_id,
            orders: rows.map(|(order, gap)| OrderRow::new(order, gap)).collect(),
            order_count: window.order_count,
            notice: notice.map(NoticeView::new),
            book: Book {
                title: product.title,
                author: product.author,
                year: product.year,
                price: format!("{:.2}", product.price),
                quantity: product.quantity,
            },
        }
    }
}

impl OrderRow {
    fn new(order: &order::Model, gap: Option<String>) -> Self {
        Self {
            id: order.id.to_string(),
            short_id: short_id(order.id),
            date: order.created_at.format("%Y-%m-%d").to_string(),
            time: order.created_at.format("%H:%M:%S%.3f").to_string(),
            datetime: order.created_at.to_rfc3339_opts(SecondsFormat::Micros, true),
            served_by: order.served_by.clone(),
            gap,
        }
    }
}

impl NoticeView {
    fn new(notice: Notice) -> Self {
        match notice {
            Notice::Bought(attempts) => {
                let times = match attempts.len() {
                    1 => "one".to_owned(),
                    2 => "two".to_owned(),
                    count => count.to_string(),
                };
                let text = format!(
                    "Your browser sent one request, to the shop's checkout. The checkout sent {times} to the shop's API."
                );
                Self { heading: "What your click led to", text, attempts }
            }
            Notice::WasReset { deleted_orders, quantity } => {
                let orders = if deleted_orders == 1 { "order" } else { "orders" };
                let text = format!("{deleted_orders} {orders} deleted, {quantity} in stock.");
                Self { heading: "The shop was reset", text, attempts: Vec::new() }
            }
        }
    }
}

fn gap_in_words(gap: TimeDelta) -> String {
    let milliseconds = gap.num_microseconds().map_or(f64::INFINITY, |microseconds| microseconds as f64 / 1e3);
    match milliseconds {
        ..1e3 => format!("{milliseconds:.1} ms"),
        ..60e3 => format!("{:.1} s", milliseconds / 1e3),
        ..3600e3 => format!("{:.1} min", milliseconds / 60e3),
        _ => format!("{:.1} h", milliseconds / 3600e3),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_is_shown_in_the_unit_that_a_person_would_use() {
        assert_eq!(gap_in_words(TimeDelta::microseconds(50_123)), "50.1 ms");
        assert_eq!(gap_in_words(TimeDelta::milliseconds(1500)), "1.5 s");
        assert_eq!(gap_in_words(TimeDelta::seconds(90)), "1.5 min");
        assert_eq!(gap_in_words(TimeDelta::hours(30)), "30.0 h");
    }
}
