"""`JobCall`: what a job calls: function, arguments, and the same as text and as bytes. Mixed into `Job`."""

from __future__ import annotations

from typing import Any

from ..exceptions import DeserializationError
from ..serializers import DefaultSerializer
from ..utils import get_call_string
from .records import Call, is_plain, plain_call

__all__ = ["UNEVALUATED", "JobCall"]

UNEVALUATED: Any = object()
"""Marks what has not been worked out yet."""


class JobCall:
    """Each part is worked out from the bytes when it is wanted, and the bytes from the parts."""

    serializer: Any
    _description: str | None = None
    _describes_itself = False
    _data: Any = UNEVALUATED
    _func_name: Any = UNEVALUATED
    _instance: Any = UNEVALUATED
    _args: Any = UNEVALUATED
    _kwargs: Any = UNEVALUATED

    def _deserialize_data(self) -> None:
        try:
            self._func_name, self._instance, self._args, self._kwargs = self.serializer.loads(self.data)
        except Exception as error:
            raise DeserializationError() from error

    @property
    def data(self) -> bytes:
        """The call as the serializer writes it."""
        if self._data is UNEVALUATED:
            if self._func_name is UNEVALUATED:
                raise ValueError("Cannot build the job data")
            if self._instance is UNEVALUATED:
                self._instance = None
            if self._args is UNEVALUATED:
                self._args = ()
            if self._kwargs is UNEVALUATED:
                self._kwargs = {}
            self._data = self.serializer.dumps((self._func_name, self._instance, self._args, self._kwargs))
        return self._data  # type: ignore[no-any-return]

    @data.setter
    def data(self, value: bytes) -> None:
        self._data = value
        self._func_name = self._instance = self._args = self._kwargs = UNEVALUATED

    def _part(self, name: str) -> Any:
        value = getattr(self, name)
        if value is UNEVALUATED:
            self._deserialize_data()
            value = getattr(self, name)
        return value

    @property
    def func_name(self) -> Any:
        """Dotted path of the function, or the method's name when there is an `instance`."""
        return self._part("_func_name")

    @func_name.setter
    def func_name(self, value: Any) -> None:
        self._func_name = value
        self._data = UNEVALUATED

    @property
    def instance(self) -> Any:
        """The object whose method is called, or None."""
        return self._part("_instance")

    @instance.setter
    def instance(self, value: Any) -> None:
        self._instance = value
        self._data = UNEVALUATED

    @property
    def args(self) -> Any:
        """Positional arguments."""
        return self._part("_args")

    @args.setter
    def args(self, value: Any) -> None:
        self._args = value
        self._data = UNEVALUATED

    @property
    def kwargs(self) -> Any:
        """Keyword arguments."""
        return self._part("_kwargs")

    @kwargs.setter
    def kwargs(self, value: Any) -> None:
        self._kwargs = value
        self._data = UNEVALUATED

    @property
    def description(self) -> str | None:
        """What was given, or the call as text."""
        if self._description is None and self._describes_itself:
            self._description = self.get_call_string()
        return self._description

    @description.setter
    def description(self, value: str | None) -> None:
        self._description = value
        self._describes_itself = False

    def get_call_string(self) -> str | None:
        """The call as text, each argument cut to 75 characters."""
        return get_call_string(self.func_name, self.args, self.kwargs, max_length=75)

    def _describe(self, description: str | None) -> None:
        """The text is made when it is wanted if the arguments cannot change until then."""
        if description:
            self._description = description
        elif type(self._kwargs) is dict and is_plain(self._args) and is_plain(self._kwargs.values()):
            self._describes_itself = True
        else:
            self._description = self.get_call_string()

    def _payload(self) -> Call | bytes:
        if (
            self._data is UNEVALUATED
            and self.serializer is DefaultSerializer
            and (self._instance is None or self._instance is UNEVALUATED)
            and type(self._func_name) is str
        ):
            args = () if self._args is UNEVALUATED else self._args
            call = plain_call(self._func_name, args, {} if self._kwargs is UNEVALUATED else self._kwargs)
            if call is not None:
                return call
        return self.data
