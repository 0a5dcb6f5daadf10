-- The one statement of single_statement, as a replica sends it.
WITH taken AS ( UPDATE products SET quantity = quantity - 1, version = version + 1 WHERE id = :product AND quantity > 0 RETURNING id ) INSERT INTO orders (product_id, served_by) SELECT id, :served_by FROM taken RETURNING *;
