// Hardware profiles by name: `profiles/<name>.yaml` beside the scenario file, else of this repository's scenarios.

import { readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { repositoryRoot } from '../../common/child-program.ts';
import { errorCode, OperatorError } from '../../common/errors.ts';
import { type Entry, problem } from './outline.ts';
import { describeFound, type Problem, problemsOfIssues } from './problem.ts';
import type { HardwareProfile } from './profile.ts';
import { profileSchema } from './profile-schema.ts';
import { idPattern, nearest } from './values.ts';
import { badFile, type Mistake, readYaml } from './yaml-text.ts';

const profilesFolder = 'profiles';
const ending = '.yaml';

/** The profiles that nodes name, and what is wrong with the names and in the files. */
export type ReadProfiles = {
  /** By name; those that could be read. */
  readonly profiles: ReadonlyMap<string, HardwareProfile>;
  /** In the scenario. */
  readonly problems: readonly Problem[];
  /** In the files of profiles. */
  readonly mistakes: readonly Mistake[];
};

/** Reads the profiles of a scenario's nodes. Names that are not texts of the right form are left to the schema. */
export function readProfiles(nodes: readonly Entry[], scenarioFile: string): ReadProfiles {
  const profiles = new Map<string, HardwareProfile>();
  const problems: Problem[] = [];
  const mistakes: Mistake[] = [];
  let fileByName: ReadonlyMap<string, string> | undefined;
  for (const { path, keys } of nodes) {
    const name = keys['profile'];
    if (typeof name !== 'string' || !idPattern.test(name) || profiles.has(name)) continue;
    fileByName ??= knownProfiles(scenarioFile);
    const file = fileByName.get(name);
    if (file === undefined) {
      const names = [...fileByName.keys()].sort();
      const expected = `a hardware profile (${names.length === 0 ? 'there are none' : names.join(', ')})`;
      problems.push(problem([...path, 'profile'], expected, describeFound(name), nearest(name, names)));
      continue;
    }
    const outcome = checkProfileFile(file);
    if (outcome.profile !== undefined) profiles.set(name, outcome.profile);
    mistakes.push(...outcome.mistakes);
  }
  return { profiles, problems, mistakes };
}

/** Files by name; one beside the scenario hides the repository's of the same name. */
function knownProfiles(scenarioFile: string): ReadonlyMap<string, string> {
  const folders = [join(repositoryRoot, 'scenarios', profilesFolder), join(dirname(scenarioFile), profilesFolder)];
  return new Map(folders.flatMap((folder) => namesIn(folder).map((name) => [name, join(folder, `${name}${ending}`)])));
}

function namesIn(folder: string): readonly string[] {
  try {
    const files = readdirSync(folder).filter((file) => file.endsWith(ending));
    return files.map((file) => basename(file, ending));
  } catch {
    return []; // No such folder: it holds no profiles.
  }
}

/** Whether a file is a profile: all that lies in a folder of that name is. */
export function isProfileFile(file: string): boolean {
  return basename(dirname(resolve(file))) === profilesFolder;
}

/** Reads and checks one profile file. Throws one OperatorError (BAD_SCENARIO, exit code 2) that names every mistake. */
export function loadProfile(file: string): HardwareProfile {
  const { profile, mistakes } = checkProfileFile(file);
  if (profile === undefined) throw badFile(file, mistakes);
  return profile;
}

type Checked = { readonly profile?: HardwareProfile | undefined; readonly mistakes: readonly Mistake[] };

function checkProfileFile(file: string): Checked {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    const message = `${file}: expected a hardware profile that can be read, found ${errorCode(error)}`;
    throw new OperatorError('BAD_SCENARIO', message, 2, { cause: error });
  }
  return checkProfile(text, file);
}

/** The profile that a text describes, or its mistakes; the file's name without its ending is the profile's id. */
export function checkProfile(text: string, file: string): Checked {
  const { document, mistakes, locate } = readYaml(text, file);
  if (document === undefined) return { mistakes };
  const checked = profileSchema.safeParse(document);
  const problems = checked.success ? [] : problemsOfIssues(checked.error.issues, document);
  const all = [...mistakes, ...problems.map(locate)].sort((left, right) => left.offset - right.offset);
  if (all.length > 0 || !checked.success) return { mistakes: all };
  return { profile: { id: basename(file, ending), ...checked.data }, mistakes: [] };
}
