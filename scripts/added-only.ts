// What a migration may do that a replica of the release before survives.

/** The statements of a migration, each on one line, without comments. */
function statementsOf(sql: string): readonly string[] {
  const statements: string[] = [];
  let open = '';
  for (const part of sql.replaceAll(/^\s*--.*$/gm, '').split(/;\s*(?:\n|$)/)) {
    open = `${open}${part.trim()}`.replaceAll(/\s+/g, ' ');
    // The body of SQLite's triggers has statements of its own.
    const isCut = /^CREATE TRIGGER .* BEGIN /.test(open) && !open.endsWith(' END');
    if (isCut) open += '; ';
    else if (open !== '') statements.push(open);
    if (!isCut) open = '';
  }
  return open === '' ? statements : [...statements, open];
}

/** A column that an older release leaves out when it writes. */
const column = String.raw`ADD COLUMN "\w+" [A-Z]+(?: NOT NULL DEFAULT (?:'[^']*'|[\w.]+)| DEFAULT (?:'[^']*'|[\w.]+))?`;

/** Columns of an index; an expression could fail for what an older release writes. */
const columns = String.raw`\("\w+"(?: DESC)?(?:, "\w+"(?: DESC)?)*\)(?: WHERE "\w+" IS NOT NULL)?`;

const additions: readonly RegExp[] = [
  /^CREATE TABLE "\w+" \([^;]*\)$/,
  new RegExp(`^CREATE INDEX "\\w+" ON "\\w+" ?${columns}$`),
  new RegExp(`^ALTER TABLE "\\w+" ${column}(?:, ${column})*$`),
  // They count a change of registrations, and refuse nothing.
  /^CREATE CONSTRAINT TRIGGER "\w+" AFTER INSERT OR UPDATE OR DELETE ON "\w+" DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION "registrations_changed"\(\)$/,
  /^CREATE TRIGGER "\w+" AFTER (?:INSERT|UPDATE|DELETE) ON "\w+" BEGIN UPDATE "cache_version" SET "value" = "value" \+ 1; END$/,
];

/** The statements of a migration that do more than add what an older release need not know. */
export function notOnlyAdding(sql: string): readonly string[] {
  const statements = statementsOf(sql);
  const made = statements.flatMap((sql) => /^CREATE TABLE ("\w+")/.exec(sql)?.[1] ?? []);
  // An older release knows no table that is new: it breaks no rule there, but may not delete what
  // another table refers to.
  const isNew = (table = '') => made.includes(table);
  return statements.filter((statement) => {
    const [, indexed] =
      /^CREATE (?:UNIQUE )?INDEX "\w+" ON ("\w+") ?\([^;]*$/.exec(statement) ?? [];
    if (isNew(indexed)) return false;
    const referred = [...statement.matchAll(/\bREFERENCES ("?\w+"?)/gi)];
    return (
      !referred.every(([, table]) => isNew(table)) ||
      !additions.some((form) => form.test(statement))
    );
  });
}
