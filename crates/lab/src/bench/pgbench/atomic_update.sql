-- The four statements of atomic_update, as a replica sends them.
BEGIN;
UPDATE products SET quantity = quantity - 1, version = version + 1 WHERE id = :product AND quantity > 0;
INSERT INTO "orders" ("product_id", "served_by") VALUES (:product, :served_by) RETURNING "id", "product_id", "served_by", "created_at";
COMMIT;
