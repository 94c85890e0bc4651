-- RedefineTables
PRAGMA defer_foreign_keys=ON;
PRAGMA foreign_keys=OFF;
CREATE TABLE "new_signing_key" (
    "kid" TEXT NOT NULL PRIMARY KEY,
    "alg" TEXT NOT NULL,
    "first_for" TEXT,
    "public_jwk" TEXT NOT NULL,
    "private_jwe" TEXT NOT NULL,
    "created_at" BIGINT NOT NULL,
    "active_at" BIGINT NOT NULL DEFAULT 0,
    "retired_at" BIGINT,
    "removed_at" BIGINT,
    "revoked_at" BIGINT,
    "recorded_state" TEXT NOT NULL DEFAULT 'announced'
);
INSERT INTO "new_signing_key" ("active_at", "alg", "created_at", "first_for", "kid", "private_jwe", "public_jwk", "removed_at", "retired_at", "revoked_at") SELECT "active_at", "alg", "created_at", "first_for", "kid", "private_jwe", "public_jwk", "removed_at", "retired_at", "revoked_at" FROM "signing_key";
DROP TABLE "signing_key";
ALTER TABLE "new_signing_key" RENAME TO "signing_key";
CREATE UNIQUE INDEX "signing_key_first_for_key" ON "signing_key"("first_for");
PRAGMA foreign_keys=ON;
PRAGMA defer_foreign_keys=OFF;
