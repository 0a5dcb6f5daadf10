-- The five statements of no_key_update, as a replica sends them.
BEGIN;
SELECT "products"."id", "products"."title", "products"."author", "products"."year", "products"."price", "products"."quantity", "products"."version", "products"."created_at" FROM "products" WHERE "products"."id" = :product LIMIT 1 FOR NO KEY UPDATE;
INSERT INTO "orders" ("product_id", "served_by") VALUES (:product, :served_by) RETURNING "id", "product_id", "served_by", "created_at";
UPDATE products SET quantity = quantity - 1, version = version + 1 WHERE id = :product;
COMMIT;
