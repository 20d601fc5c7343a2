//! The pages as people see them.

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use serde::Deserialize;

use crate::catalog::{self, PRODUCTS, Product};
use crate::release::Release;
use crate::{Shared, Shop};

#[derive(Deserialize)]
pub(crate) struct Search {
    q: Option<String>,
}

/// `GET /`
pub(crate) async fn products(State(shop): Shared, Query(search): Query<Search>) -> Html<String> {
    let wanted = search.q.filter(|_| shop.release.search).unwrap_or_default();
    let needle = wanted.to_lowercase();
    let matches =
        |product: &&Product| format!("{} {}", product.name, product.about).to_lowercase().contains(&needle);
    let list: String = PRODUCTS.iter().filter(matches).map(|product| row(&shop.release, product)).collect();
    let form = if shop.release.search {
        format!(
            "<form><input name=q value=\"{}\" placeholder=\"What do you need?\"><button>Search</button></form>",
            escape(&wanted)
        )
    } else {
        String::new()
    };
    Html(whole(&shop, &format!("{form}<ul class=list>{list}</ul>")))
}

/// `GET /product/{id}`
pub(crate) async fn product(State(shop): Shared, Path(id): Path<u32>) -> Response {
    let Some(product) = catalog::find(id) else {
        return (StatusCode::NOT_FOUND, Html(whole(&shop, "<p>There is no such thing here.</p>")))
            .into_response();
    };
    let price = money(product.price_in(&shop.release));
    let body = format!(
        "<h2>{}</h2><p>{}</p><p class=total>{price}</p><p>{} in stock</p>\
         <form method=post action=\"/cart?product={id}\"><button>Into the cart</button></form>",
        product.name, product.about, product.stock
    );
    Html(whole(&shop, &body)).into_response()
}

/// A product in a list.
pub(crate) fn row(release: &Release, product: &Product) -> String {
    let price = product.price_in(release);
    let old = if price < product.price { format!("<s>{}</s> ", money(product.price)) } else { String::new() };
    format!(
        "<li><a href=\"/product/{}\">{}</a><small>{}</small><b>{old}{}</b></li>",
        product.id,
        product.name,
        product.about,
        money(price)
    )
}

/// An amount in cents, for people.
pub(crate) fn money(cents: u32) -> String {
    format!("€ {}.{:02}", cents / 100, cents % 100)
}

/// A whole page around its content.
pub(crate) fn whole(shop: &Shop, content: &str) -> String {
    let Release { title, tagline, accent, dark, .. } = &shop.release;
    let (ink, paper, card) =
        if *dark { ("#edf2f7", "#1a202c", "#2d3748") } else { ("#1a202c", "#f7fafc", "#fff") };
    format!(
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content=\"width=device-width\">\
         <title>{title}</title><style>\
         body{{margin:0;font:16px/1.5 system-ui,sans-serif;color:{ink};background:{paper}}}\
         header{{background:{accent};color:#fff;padding:1.5rem 2rem;display:flex;gap:1rem;align-items:baseline}}\
         header h1{{margin:0;font-size:1.6rem}}header a{{color:#fff;margin-left:auto}}\
         main{{max-width:44rem;margin:2rem auto;padding:0 1rem}}a{{color:{accent};font-weight:600}}\
         .list{{list-style:none;padding:0;display:grid;gap:.6rem}}\
         .list li{{background:{card};padding:1rem;border-radius:.5rem;display:grid;grid-template-columns:1fr auto;\
         box-shadow:0 1px 3px #0003}}.list small{{grid-row:2;opacity:.7}}.list s{{opacity:.5;font-weight:400}}\
         button{{background:{accent};color:#fff;border:0;border-radius:.4rem;padding:.5rem 1rem;font:inherit}}\
         input{{padding:.5rem;font:inherit;border:1px solid #aaa;border-radius:.4rem;margin-right:.5rem}}\
         .total{{font-size:1.4rem;font-weight:700}}footer{{text-align:center;opacity:.6;padding:2rem}}\
         </style><header><h1>{title}</h1><span>{tagline}</span><a href=\"/cart\">Cart</a></header>\
         <main>{content}</main><footer>version {} · instance {}</footer></html>",
        escape(&shop.version),
        escape(&shop.instance)
    )
}

/// Text that is safe within a page.
fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '&' => safe.push_str("&amp;"),
            '"' => safe.push_str("&quot;"),
            other => safe.push(other),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    #[test]
    fn text_can_not_break_out() {
        assert_eq!(super::escape("\"><b>&"), "&quot;&gt;&lt;b&gt;&amp;");
    }
}
