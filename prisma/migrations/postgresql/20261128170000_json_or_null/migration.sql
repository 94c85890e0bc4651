-- By hand: null instead of an error, so that one damaged row fails no statement about others.
-- (\x3b is a semicolon: what applies this file ends a statement at each one that it sees.)
CREATE FUNCTION "json_or_null"("value" text) RETURNS jsonb LANGUAGE plpgsql IMMUTABLE STRICT AS E'BEGIN
  RETURN "value"::jsonb\x3b
EXCEPTION WHEN others THEN RETURN NULL\x3b
END';
