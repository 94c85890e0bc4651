/** `npm run audit-events`: writes docs/reference/audit-events.md from the table of event types. */
import { writeFileSync } from 'node:fs';
import { auditEventChapters, auditMembers } from '../src/domain/audit-event-types.ts';

const introduction = `# Audit events

The audit trail has one entry for each of these events. \`GET /admin/audit-events\` lists them, and [an audit sink](../operations/audit.md) sends them on, one JSON object a line.

Every event has \`id\`, which sorts by time, \`at\` (RFC 3339), \`type\` and \`actor\`: \`client:ID\`, \`resource_server:ID\`, \`admin:NAME\` or \`server\`. Nothing secret is in any of them.
A later version may add types and members: ignore what you do not know.

This page is generated from \`src/domain/audit-event-types.ts\` by \`npm run audit-events\`.
`;

/** The whole page, as Markdown. */
export function auditEventCatalogue(): string {
  const chapters = Object.entries(auditEventChapters).map(([title, types]) => {
    const rows = Object.entries(types).map(
      ([type, { when, has }]) =>
        `| \`${type}\` | ${when} | ${has.map((member) => `\`${member}\``).join(', ')} |\n`,
    );
    return `\n## ${title}\n\n| type | when | members |\n|---|---|---|\n${rows.join('')}`;
  });
  const members = Object.entries(auditMembers).map(
    ([member, meaning]) => `| \`${member}\` | ${meaning} |\n`,
  );
  return `${introduction}${chapters.join('')}\n## Members\n\n| member | meaning |\n|---|---|\n${members.join('')}`;
}

if (import.meta.main)
  writeFileSync(
    new URL('../docs/reference/audit-events.md', import.meta.url),
    auditEventCatalogue(),
  );
