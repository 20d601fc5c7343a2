//! What there is to buy.

use axum::Json;
use axum::extract::State;
use serde::Serialize;

use crate::Shared;
use crate::release::Release;

/// A product.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Product {
    pub(crate) id: u32,
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    /// In cents, before any discount.
    pub(crate) price: u32,
    pub(crate) stock: u32,
}

const fn product(id: u32, name: &'static str, about: &'static str, price: u32, stock: u32) -> Product {
    Product { id, name, about, price, stock }
}

/// All of them.
pub(crate) const PRODUCTS: &[Product] = &[
    product(1, "Teapot", "Holds a litre, pours without a drip.", 3200, 14),
    product(2, "Bicycle bell", "Heard by those who should hear it.", 950, 120),
    product(3, "Wool blanket", "Warm on one side, warmer on the other.", 7900, 9),
    product(4, "Notebook", "Two hundred pages, none of them lined.", 1150, 80),
    product(5, "Desk lamp", "Bends where you want it and stays there.", 5400, 21),
    product(6, "Garden shears", "Sharpened by hand, twice.", 2850, 33),
    product(7, "Chess set", "Beech and walnut, with a spare queen.", 6100, 5),
    product(8, "Rain coat", "Dry at forty miles an hour.", 8800, 17),
];

/// The product with this number.
pub(crate) fn find(id: u32) -> Option<&'static Product> {
    PRODUCTS.iter().find(|product| product.id == id)
}

impl Product {
    /// The price in this release, in cents.
    pub(crate) fn price_in(&self, release: &Release) -> u32 {
        let off = release.discounts.get(&self.id).copied().unwrap_or(0).min(100);
        self.price - self.price * off / 100
    }
}

#[derive(Serialize)]
pub(crate) struct Stock {
    version: String,
    products: &'static [Product],
}

/// `GET /api/stock`
pub(crate) async fn stock(State(shop): Shared) -> Json<Stock> {
    Json(Stock { version: shop.version.clone(), products: PRODUCTS })
}
