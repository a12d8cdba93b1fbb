// Reads mails as a JSON object of names and HTML; writes, for each, what is not supported and where:
// {"mail": {"feature": ["program", …]}}.
import { readFileSync } from 'node:fs';
import { caniemail } from 'caniemail';

const PROGRAMS = ['apple-mail', 'gmail', 'mail-ru', 'outlook', 'protonmail', 'samsung-email', 'yahoo'];
const CLIENTS = PROGRAMS.map((name) => `${name}.*`); // of some others it knows too little to tell

function unsupported(html) {
  const found = {};
  for (const [program, issues] of caniemail({ clients: CLIENTS, html }).issues.errors)
    for (const { title } of issues) (found[title] ??= new Set()).add(program);
  return Object.fromEntries(Object.entries(found).map(([title, programs]) => [title, [...programs]]));
}

const mails = JSON.parse(readFileSync(0, 'utf8'));
console.log(JSON.stringify(Object.fromEntries(Object.entries(mails).map(([name, html]) => [name, unsupported(html)]))));
