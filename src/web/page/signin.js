// The sign-in form: with any name where the broker gives out demo tokens, else with a token.

import { DemoFailed, DemoKeyMissing, DemoTokensUnavailable } from './connection.js';
import { spareName, takeAnyDemoUser, takeDemoUser } from './demo.js';
import { part, showError } from './dom.js';
import { setText } from './text.js';

export class SignIn {
  #root;
  #side;
  #act;
  #warnedOf = '';

  /**
   * @param {Element} root the pane
   * @param {{isTaken(name: string): boolean, enter(given: {name: string, token: string, roomBarragesPerSecond?: number}): Promise<void>,
   *          giveUp(): void, renamed(): void}} act
   */
  constructor(root, side, name, act) {
    [this.#root, this.#side, this.#act] = [root, side, act];
    part(root, 'user').value = name;
    part(root, 'user').oninput = () => act.renamed();
    part(root, 'signin').onsubmit = (event) => {
      event.preventDefault();
      this.#submit();
    };
  }

  get name() {
    return part(this.#root, 'user').value.trim();
  }

  /** Signs in by itself, as a demo user that nobody is. */
  begin() {
    return this.#enter(async () => {
      const given = await takeAnyDemoUser(this.#side, this.#act.isTaken);
      if (given) this.#rename(given.name);
      else this.tell('allTaken');
      return given;
    });
  }

  async #submit() {
    const { name } = this;
    if (!name) return;
    if (this.#act.isTaken(name)) {
      this.tell('sameName', { name });
      return;
    }
    const token = part(this.#root, 'token').value.trim();
    await this.#enter(() => (token ? { name, token } : this.#takeDemoUser(name)));
  }

  /** Takes a name that was typed; one that somebody is already only at the second try. */
  async #takeDemoUser(name) {
    const given = await takeDemoUser(this.#side, name, this.#warnedOf === name);
    if (given) return given;
    this.#warnedOf = name;
    await this.offerAnother('takenName', name);
    return null;
  }

  async #enter(given) {
    const enter = part(this.#root, 'enter');
    if (enter.disabled) return;
    this.#fail(null);
    enter.disabled = true;
    try {
      const user = await given();
      if (user) await this.#act.enter(user);
    } catch (error) {
      this.#act.giveUp();
      if (error instanceof DemoKeyMissing) {
        this.#askForToken();
        this.tell('noDemoKey');
      } else if (error instanceof DemoTokensUnavailable) this.#askForToken();
      else if (error instanceof DemoFailed) this.tell('demoFailed');
      else this.#fail(error);
    } finally {
      enter.disabled = false;
    }
  }

  show(is) {
    part(this.#root, 'signin').hidden = !is;
    part(this.#root, 'command').textContent = `tidings token --user ${this.name}`;
  }

  /** Shows why the session ended, or did not begin. */
  tell(key, vars = null) {
    const line = part(this.#root, 'signin-error');
    line.hidden = false;
    setText(line, key, vars);
  }

  /** Says that a name is taken, and writes one that is not into the field. */
  async offerAnother(key, name) {
    const other = await spareName(this.#act.isTaken).catch(() => '');
    if (other) this.#rename(other);
    this.tell(other ? key : 'allTaken', { name, other });
  }

  #rename(name) {
    part(this.#root, 'user').value = name;
    this.#act.renamed();
  }

  #fail(error) {
    showError(part(this.#root, 'signin-error'), error);
  }

  #askForToken() {
    part(this.#root, 'token-field').hidden = false;
    part(this.#root, 'token').required = true;
  }
}
