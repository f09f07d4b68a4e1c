-- A shop of eight tables: a cycle between orgs and users, a reference of users into their own table, a composite key,
-- and tables with side effects. `:scale` organisations; some 141 rows for each.
CREATE TABLE orgs (id int PRIMARY KEY, name text NOT NULL, owner_id int);
CREATE TABLE users (id int PRIMARY KEY, org_id int NOT NULL REFERENCES orgs, manager_id int REFERENCES users, email text NOT NULL UNIQUE, name text, active boolean NOT NULL);
ALTER TABLE orgs ADD FOREIGN KEY (owner_id) REFERENCES users;
CREATE TABLE products (id int PRIMARY KEY, title text NOT NULL, price numeric(10,2) NOT NULL);
CREATE TABLE orders (id bigint PRIMARY KEY, user_id int NOT NULL REFERENCES users, placed timestamptz NOT NULL, note text, total numeric(12,2) NOT NULL);
CREATE TABLE items (order_id bigint REFERENCES orders, line int, product_id int NOT NULL REFERENCES products, amount int NOT NULL, PRIMARY KEY (order_id, line));
CREATE TABLE returns (id serial PRIMARY KEY, order_id bigint NOT NULL, line int NOT NULL, reason text, FOREIGN KEY (order_id, line) REFERENCES items);
CREATE TABLE sessions (id text PRIMARY KEY, user_id int NOT NULL REFERENCES users, token text NOT NULL);
CREATE TABLE outbox (id serial PRIMARY KEY, body text NOT NULL);
