-- By hand.

-- Other authorization servers change the one row of cache_version too: a declared configuration is
-- applied to the state that it was compared with, or not at all.
CREATE CONSTRAINT TRIGGER "authorization_server_changed" AFTER INSERT OR UPDATE OR DELETE ON "authorization_server"
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION "registrations_changed"();
