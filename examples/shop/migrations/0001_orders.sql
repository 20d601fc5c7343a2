CREATE TABLE orders (
    id       text PRIMARY KEY,
    product  integer NOT NULL,
    count    integer NOT NULL CHECK (count > 0),
    customer text NOT NULL,
    note     text,
    taken_by text NOT NULL
);

CREATE INDEX orders_by_product ON orders (product);
