-- CreateIndex
CREATE INDEX "client_updated_at_idx" ON "client"("updated_at");

-- By hand: clients whose keys are elsewhere are few among many. By the text, so that a damaged row is no obstacle.
CREATE INDEX "client_jwks_uri_idx" ON "client"("client_id") WHERE strpos("metadata", '"jwks_uri":') > 0;
