//! `GET /api/products` and `GET /api/products/{id}`.

use actix_web::web::{Data, Json, Path};
use flash_sale_services::ShopService;
use uuid::Uuid;

use crate::problem::Problem;
use crate::view::ProductView;

/// The book on sale.
#[utoipa::path(get, path = "/api/products", tag = "products", operation_id = "get_featured_product", responses(
    (status = 200, description = "The book", body = ProductView),
    (status = 404, description = "The shop is empty"),
))]
pub async fn get_featured(shop: Data<ShopService>) -> Result<Json<ProductView>, Problem> {
    Ok(Json(shop.get_featured_product().await?.into()))
}

/// One product.
#[utoipa::path(get, path = "/api/products/{id}", tag = "products", operation_id = "get_product",
    params(("id" = Uuid, Path, description = "Upper-case or without dashes is fine too")), responses(
    (status = 200, description = "The product", body = ProductView),
    (status = 404, description = "No such product"),
    (status = 422, description = "Not a UUID"),
))]
pub async fn get_by_id(shop: Data<ShopService>, id: Path<Uuid>) -> Result<Json<ProductView>, Problem> {
    Ok(Json(shop.get_product(*id).await?.into()))
}

#[cfg(test)]
mod tests {
    use actix_web::FromRequest;
    use actix_web::test::TestRequest;
    use actix_web::web::PathConfig;
    use futures::FutureExt;
    use proptest::prelude::*;

    use super::*;

    /// As `routes.rs` has it read, by its status when it is refused.
    fn read(id: &str) -> Result<Uuid, u16> {
        let config = PathConfig::default().error_handler(|error, _| Problem::in_path(&error).into());
        let request = TestRequest::default().app_data(config).param("id", id.to_owned()).to_http_request();
        let path = Path::<Uuid>::extract(&request).now_or_never().expect("a path is read at once");
        path.map(Path::into_inner).map_err(|error| error.as_response_error().status_code().as_u16())
    }

    proptest! {
        #[test]
        fn an_id_is_read_however_it_is_written(id in any::<u128>().prop_map(Uuid::from_u128)) {
            for written in [id.to_string(), id.simple().to_string(), id.to_string().to_uppercase()] {
                prop_assert_eq!(read(&written), Ok(id));
            }
        }

        #[test]
        fn any_text_is_an_id_or_422(text in ".{0,40}|[0-9a-f-]{30,40}|[0-9a-f]{32}") {
            prop_assert_eq!(read(&text), text.parse().map_err(|_| 422));
        }
    }
}
