//! Real servers: catalogs read, connections made, scratch copies taken.

mod clients;
mod connection;
mod encryption;
mod execution;
mod full_disk;
mod house;
mod interruption;
mod journal;
mod reading;
mod relay;
mod replica;
mod rights;
mod role;
mod scratch;
mod statements;
