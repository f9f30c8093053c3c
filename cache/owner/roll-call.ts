// A question to all workers, and who has answered it. Also how the owner knows that everybody heard what it said: the
// channel keeps its order, so that the answer to a later question confirms all that was said before.

import type { OwnerMessage, WorkerMessage } from '../protocol.ts';
import type { WorkerLink } from './ask.ts';

/** A worker that says nothing for this long is not waited for. */
const answerTimeoutMs = 5000;

export type Answers = {
  readonly answers: readonly WorkerMessage[];
  /** Workers that did not answer in time (one that ended meanwhile is not among them). */
  readonly silentCount: number;
};

type Question = { readonly answers: WorkerMessage[]; readonly waitingFor: Set<WorkerLink>; readonly done: () => void };

export class RollCall {
  readonly #questions = new Map<number, Question>();
  #count = 0;

  /** Asks all `links`; resolves once all have answered, are gone, or have been silent for 5 s. */
  ask(links: Iterable<WorkerLink>, message: (query: number) => OwnerMessage): Promise<Answers> {
    const id = this.#count++;
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        this.#questions.delete(id);
        resolve({ answers: question.answers, silentCount: question.waitingFor.size });
      };
      const timer = setTimeout(done, answerTimeoutMs);
      const question: Question = { answers: [], waitingFor: new Set(links), done };
      this.#questions.set(id, question);
      if (question.waitingFor.size === 0) done();
      for (const link of question.waitingFor) link.send(message(id));
    });
  }

  heard(link: WorkerLink, message: Extract<WorkerMessage, { readonly query: number }>): void {
    const question = this.#questions.get(message.query);
    if (question === undefined) return;
    question.answers.push(message);
    answered(question, link);
  }

  /** A worker ended: nobody waits for it. */
  gone(link: WorkerLink): void {
    for (const question of [...this.#questions.values()]) answered(question, link);
  }
}

function answered(question: Question, link: WorkerLink): void {
  if (question.waitingFor.delete(link) && question.waitingFor.size === 0) question.done();
}
