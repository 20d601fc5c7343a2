-- The customer's name is split, the product's number grows, `count` gets the name that it should have had, and each order
-- has a note.

ALTER TABLE orders ADD COLUMN first_name text;
ALTER TABLE orders ADD COLUMN last_name text;
UPDATE orders SET first_name = split_part(customer, ' ', 1), last_name = substr(customer, strpos(customer, ' ') + 1);
ALTER TABLE orders ALTER COLUMN first_name SET NOT NULL;
ALTER TABLE orders ALTER COLUMN last_name SET NOT NULL;

-- @down orders.customer: first_name || ' ' || last_name
ALTER TABLE orders DROP COLUMN customer;

ALTER TABLE orders ALTER COLUMN product TYPE bigint;

ALTER TABLE orders RENAME COLUMN count TO quantity;

-- @up orders.note: coalesce(note, 'none')
ALTER TABLE orders ALTER COLUMN note SET NOT NULL;
