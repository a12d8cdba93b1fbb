// pg-boss in batches that follow each other while they come full, woken by notifications (pgboss.io/api/workers).
import { PgBoss } from 'pg-boss';
import { atPace } from './pace.js';
import { note, touch } from './probe.js';

const BATCH = 5_000; // messages in one statement
const WORK = { batchSize: 100, burstWhenBatchFull: true, localConcurrency: 4 };

let boss;
async function started() {
  if (!boss) {
    boss = new PgBoss({ connectionString: process.env.DATABASE_URL, useListenNotify: true });
    boss.on('error', console.error);
    await boss.start();
  }
  return boss;
}

export async function install() {
  await started();
  for (const name of ['noop', 'note']) await boss.createQueue(name, { notify: true });
}

export async function send(count) {
  await started();
  for (let number = 0; number < count; number += 1) await boss.send('noop', { number });
}

export async function bulk(count) {
  await started();
  for (let start = 0; start < count; start += BATCH) {
    const length = Math.min(BATCH, count - start);
    await boss.insert('noop', Array.from({ length }, (_, index) => ({ data: { number: start + index } })));
  }
}

export const fill = bulk;

export async function pace(count, perSecond) {
  await started();
  await atPace(count, perSecond, (sentAt) => boss.send('note', { sentAt }));
}

export async function work() {
  await started();
  await boss.work('noop', WORK, async (jobs) => jobs.forEach(touch));
  await boss.work('note', WORK, async (jobs) => jobs.forEach(({ data }) => note(data.sentAt)));
  process.once('SIGTERM', async () => {
    await boss.stop({ timeout: 1_000 });
    process.exit();
  });
}
