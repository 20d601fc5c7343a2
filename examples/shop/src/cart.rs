//! The cart: a cookie that names products, so that it lives through any change of instance or version.

use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::http::StatusCode;
use axum::http::header::{COOKIE, LOCATION, SET_COOKIE};
use axum::response::{Html, IntoResponse, Response};
use serde::Deserialize;

use crate::{Shared, catalog, page};

/// The most things that a cart holds.
const MOST: usize = 50;

#[derive(Deserialize)]
pub(crate) struct Add {
    product: u32,
}

fn read(headers: &HeaderMap) -> Vec<u32> {
    let cookies =
        headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok()).flat_map(|all| all.split(';'));
    let cart = cookies.filter_map(|cookie| cookie.trim().strip_prefix("cart=")).next_back().unwrap_or("");
    cart.split('.')
        .filter_map(|id| id.parse().ok())
        .filter(|id| catalog::find(*id).is_some())
        .take(MOST)
        .collect()
}

/// `POST /cart?product=3`
pub(crate) async fn add(Query(add): Query<Add>, headers: HeaderMap) -> Response {
    let mut cart = read(&headers);
    if catalog::find(add.product).is_some() && cart.len() < MOST {
        cart.push(add.product);
    }
    let ids: Vec<String> = cart.iter().map(ToString::to_string).collect();
    let cookie = format!("cart={}; Path=/; HttpOnly; SameSite=Lax", ids.join("."));
    (StatusCode::SEE_OTHER, [(LOCATION, "/cart".to_owned()), (SET_COOKIE, cookie)]).into_response()
}

/// `GET /cart`
pub(crate) async fn show(State(shop): Shared, headers: HeaderMap) -> Html<String> {
    let products: Vec<_> = read(&headers).into_iter().filter_map(catalog::find).collect();
    let total: u32 = products.iter().map(|product| product.price_in(&shop.release)).sum();
    let list: String = products.iter().map(|product| page::row(&shop.release, product)).collect();
    let body =
        format!("<h2>Your cart</h2><ul class=list>{list}</ul><p class=total>{}</p>", page::money(total));
    Html(page::whole(&shop, &body))
}
