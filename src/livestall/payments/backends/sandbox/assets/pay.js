// Comfort only: the page works without it. Groups the digits, fills in a test card, counts down, stops a second click.
"use strict";
const form = document.querySelector("form");
const field = (name) => document.getElementById(name);

field("number").addEventListener("input", (event) => {
  const digits = event.target.value.replace(/\D/g, "").slice(0, 19);
  event.target.value = digits.replace(/(.{4})(?=.)/g, "$1 ");
});
field("expiry").addEventListener("input", (event) => {
  if (event.inputType && event.inputType.startsWith("delete")) return;
  const digits = event.target.value.replace(/\D/g, "").slice(0, 4);
  event.target.value = digits.length >= 3 ? `${digits.slice(0, 2)}/${digits.slice(2)}` : digits;
});

const cards = document.querySelectorAll("[data-card]");
for (const card of cards) {
  card.addEventListener("click", (event) => {
    event.preventDefault();
    field("number").value = card.dataset.card;
    field("expiry").value = "12/34";
    field("cvc").value = "123";
    for (const other of cards) other.removeAttribute("aria-current");
    card.setAttribute("aria-current", "true");
    const button = form.querySelector("button");
    button.focus({ preventScroll: true });
    form.scrollIntoView({ block: "center" });
  });
}

let sent = false;
form.addEventListener("submit", (event) => {
  if (sent) return event.preventDefault();
  sent = true;
  const button = form.querySelector("button");
  button.setAttribute("aria-disabled", "true");
  button.textContent = button.dataset.busy;
});
window.addEventListener("pageshow", (event) => event.persisted && location.replace(location.pathname + location.search));

const left = field("left");
const until = performance.now() + Number(left.dataset.seconds) * 1000;
const beat = setInterval(() => {
  const seconds = Math.max(0, Math.round((until - performance.now()) / 1000));
  left.textContent = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
  left.parentElement.classList.toggle("soon", seconds <= 60);
  if (seconds === 0) {
    clearInterval(beat);
    location.replace(location.pathname + location.search);
  }
}, 250);
