/** `npm run errors`: writes docs/errors.md from the table of reasons. */
import { writeFileSync } from 'node:fs';
import { refusalChapters } from '../src/domain/refusal-reasons.ts';
import { oauthErrorStatus, type Refusal } from '../src/domain/refusals/refusal.ts';

const introduction = `# Errors

Every refused request has one of these reasons. The reason is in the log (\`reason\`) and in the audit
trail. The client gets only \`error\` and \`error_description\`, which are constant: where several
reasons share one description, the client must not learn which one it was.

The status is ${statuses()}. An error that is not in this list is a defect or an outage of the server.

This page is generated from \`src/domain/refusals/\` by \`npm run errors\`.
`;

/** The whole page, as Markdown. */
export function errorCatalogue(): string {
  const chapters = Object.entries<Readonly<Record<string, Refusal>>>(refusalChapters);
  return introduction + chapters.map(([title, refusals]) => chapter(title, refusals)).join('');
}

function chapter(title: string, refusals: Readonly<Record<string, Refusal>>): string {
  const rows = Object.entries(refusals).map(
    ([reason, { code, sentence, help }]) =>
      `| \`${reason}\` | \`${code}\` | ${escaped(sentence)} | ${escaped(help)} |\n`,
  );
  const head = '| Reason | `error` | `error_description` | What to do |\n|---|---|---|---|\n';
  return `\n## ${title}\n\n${head}${rows.join('')}`;
}

/** `_` and `|` mean something in Markdown. */
function escaped(text: string): string {
  return text.replace(/[_|<]/g, (character) => `\\${character}`);
}

/** `400, but 401 for …`. */
function statuses(): string {
  const others = Object.entries(oauthErrorStatus).filter(([, status]) => status !== 400);
  return `400, but ${others.map(([code, status]) => `${status} for \`${code}\``).join(', ')}`;
}

if (import.meta.main)
  writeFileSync(new URL('../docs/errors.md', import.meta.url), errorCatalogue());
