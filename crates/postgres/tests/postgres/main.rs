//! Real servers: catalogs read, connections made, scratch copies taken.

mod connection;
mod reading;
