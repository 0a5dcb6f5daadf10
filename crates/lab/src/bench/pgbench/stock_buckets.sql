-- The four statements of stock_buckets, as a replica sends them.
BEGIN;
UPDATE stock_buckets SET quantity = quantity - 1 WHERE product_id = :product AND quantity > 0 AND number = ( SELECT (array_agg(number ORDER BY number))[1 + floor(random() * count(*))::int] FROM stock_buckets WHERE product_id = :product AND quantity > 0);
INSERT INTO "orders" ("product_id", "served_by") VALUES (:product, :served_by) RETURNING "id", "product_id", "served_by", "created_at";
COMMIT;
