"""Signing in: the password, then the second factor; and the page of one's own second factor."""

from __future__ import annotations

import time
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY, login, views
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.crypto import constant_time_compare
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from ..people import browsers, second_factor, sessions, signals, throttle, usernames

PASSED = "password_passed"  # in the session: whose password was right
PASSED_FOR = 5 * 60
CANDIDATE = "second_factor_candidate"  # in the session: the key that is being set up


class SignInForm(AuthenticationForm):
    username = usernames.NameField(widget=forms.TextInput({"autofocus": True}))


class SignIn(views.LoginView):
    form_class = SignInForm

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        username = usernames.meant(request.POST.get("username", ""))
        if username and request.POST.get("password"):
            self.trier = throttle.Trier.of(request, username)
            try:
                throttle.begin(self.trier)
            except throttle.Throttled as refused:
                return too_many(request, refused, username=username)
        return super().post(request, *args, **kwargs)

    def form_valid(self, form: Any) -> HttpResponse:
        throttle.forget(self.trier)
        user, next_page = form.get_user(), self.get_success_url()
        if second_factor.has_one(user):
            return ask_for_code(self.request, user, next_page)
        return signed_in(self.request, user, user.backend, next_page)


class ChangePassword(views.PasswordChangeView):
    """The old password is asked for as at the sign-in, and so no oftener."""

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        self.trier = throttle.Trier.of(request, request.user.get_username())
        try:
            throttle.begin(self.trier)
        except throttle.Throttled as refused:
            return too_many(request, refused, user=request.user)
        return super().post(request, *args, **kwargs)

    def form_valid(self, form: Any) -> HttpResponse:
        throttle.forget(self.trier)
        return super().form_valid(form)

    def form_invalid(self, form: Any) -> HttpResponse:
        if form.has_error("old_password", "password_incorrect"):
            signals.old_password_wrong.send(ChangePassword, request=self.request, user=self.request.user)
        return super().form_invalid(form)


def signed_in(request: HttpRequest, user: Any, backend: str, next_page: str) -> HttpResponse:
    """In a new session: Django's login would keep the old one where the same user was signed in."""
    request.session.flush()
    login(request, user, backend=backend)
    response = HttpResponseRedirect(next_page)
    browsers.remember(request, response, user.get_username())
    return response


def too_many(
    request: HttpRequest, refused: throttle.Throttled, user: Any = None, username: str = ""
) -> HttpResponse:
    signals.sign_in_throttled.send(
        SignIn, request=request, user=user, username=username, retry_after=refused.retry_after
    )
    minutes = -(-refused.retry_after // 60)
    response = render(request, "registration/throttled.html", {"minutes": minutes}, status=429)
    response["Retry-After"] = str(refused.retry_after)
    return response


# The second step


def ask_for_code(request: HttpRequest, user: Any, next_page: str) -> HttpResponse:
    """Nobody is signed in yet: the session only remembers whose password was right."""
    request.session.flush()
    request.session[PASSED] = {
        SESSION_KEY: str(user.pk),
        BACKEND_SESSION_KEY: user.backend,
        HASH_SESSION_KEY: user.get_session_auth_hash(),
        "at": int(time.time()),
        "next": next_page,
    }
    request.session.set_expiry(PASSED_FOR)
    return HttpResponseRedirect(reverse("sign_in_code"))


def whose_password_passed(request: HttpRequest) -> User | None:
    passed = request.session.get(PASSED)
    if not passed or passed[BACKEND_SESSION_KEY] not in settings.AUTHENTICATION_BACKENDS:
        return None
    if not sessions.is_within(PASSED_FOR, passed.get("at", 0), int(time.time())):
        return None
    user = User.objects.filter(pk=passed[SESSION_KEY], is_active=True).first()
    if user is None or not constant_time_compare(user.get_session_auth_hash(), passed[HASH_SESSION_KEY]):
        return None
    return user


class CodeForm(forms.Form):
    code = forms.CharField(
        max_length=40,
        widget=forms.TextInput(
            {
                "autocomplete": "one-time-code",
                "spellcheck": "false",
                "autocapitalize": "none",
                "autofocus": True,
            }
        ),
        help_text="Six digits from your app, or one of your recovery codes.",
    )


@never_cache
@login_not_required
@sensitive_post_parameters("code")
@require_http_methods(["GET", "HEAD", "POST"])
def code(request: HttpRequest) -> HttpResponse:
    user = whose_password_passed(request)
    if user is None:
        return HttpResponseRedirect(reverse("login"))
    form = CodeForm(request.POST or None)
    if form.is_valid():
        try:
            right = is_right(request, user, form.cleaned_data["code"])
        except throttle.Throttled as refused:
            return too_many(request, refused, user=user, username=user.get_username())
        if right:
            return sign_in_with_factor(request, user)
        form.add_error("code", "That code is not right, or it was used before. Wait for the next one.")
    return render(request, "registration/code.html", {"form": form})


def is_right(request: HttpRequest, user: Any, typed: str) -> bool:
    """Raises Throttled. Codes are counted apart from passwords."""
    trier = throttle.Trier.of(request, user.get_username()).at("code")
    throttle.begin(trier)
    right = second_factor.accepts(request, user, typed)
    if right:
        throttle.forget(trier)
    return right


def sign_in_with_factor(request: HttpRequest, user: User) -> HttpResponse:
    passed = request.session[PASSED]
    response = signed_in(request, user, passed[BACKEND_SESSION_KEY], passed["next"])
    request.session[second_factor.VERIFIED] = True
    return response


# One's own second factor


@never_cache
@sensitive_post_parameters("code")
@require_http_methods(["GET", "HEAD", "POST"])
def own_factor(request: HttpRequest) -> HttpResponseBase:
    what = request.POST.get("what", "") if request.method == "POST" else ""
    if what == "begin":
        request.session[CANDIDATE] = second_factor.new_key()
        return HttpResponseRedirect(reverse("second_factor"))
    form = CodeForm(request.POST if what else None)
    if form.is_valid():
        try:
            return ANSWERS[what](request, form) if what in ANSWERS else own_page(request, form)
        except throttle.Throttled as refused:
            return too_many(request, refused, user=request.user)
    return own_page(request, form)


def own_page(request: Any, form: CodeForm, codes: list[str] | None = None) -> HttpResponse:
    key = request.session.get(CANDIDATE)
    context: dict[str, Any] = {
        "form": form,
        "codes": codes,
        "has_one": second_factor.has_one(request.user),
        "must": second_factor.must_have_one(request.user),
        "left": second_factor.recovery_codes_left(request.user),
    }
    if key and not context["has_one"]:
        form.fields["code"].help_text = "Six digits."
        context |= {
            "typed_key": second_factor.as_typed(key),
            "picture": second_factor.picture(key, request.user),
        }
    return render(request, "registration/second_factor.html", context)


def confirm(request: Any, form: CodeForm) -> HttpResponse:
    key = request.session.get(CANDIDATE)
    if not key or second_factor.has_one(request.user):
        return HttpResponseRedirect(reverse("second_factor"))
    codes = second_factor.set_up(request, request.user, key, form.cleaned_data["code"])
    if not codes:
        form.add_error("code", "That code is not right. Is your phone’s clock right?")
        return own_page(request, form)
    del request.session[CANDIDATE]
    return own_page(request, CodeForm(), codes)


def new_codes(request: Any, form: CodeForm) -> HttpResponse:
    if not is_right(request, request.user, form.cleaned_data["code"]):
        form.add_error("code", "That code is not right, or it was used before.")
        return own_page(request, form)
    return own_page(request, CodeForm(), second_factor.new_recovery_codes(request.user))


def take_off(request: Any, form: CodeForm) -> HttpResponse:
    if not is_right(request, request.user, form.cleaned_data["code"]):
        form.add_error("code", "That code is not right, or it was used before.")
        return own_page(request, form)
    second_factor.remove(request, request.user, by=request.user)
    messages.success(request, "The second factor is removed: the password alone signs you in.")
    return HttpResponseRedirect(reverse("second_factor"))


ANSWERS = {"confirm": confirm, "codes": new_codes, "remove": take_off}
