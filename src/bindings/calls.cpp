// SPDX-License-Identifier: Apache-2.0
// Finds a call's arrays, in the plain case without going through Python code.
#include "calls.hpp"

#include <algorithm>
#include <utility>

#include "arrays.hpp"

namespace py = pybind11;

namespace hbm::bindings {
namespace {

// Hashing once: dictionaries find interned names by their address.
py::object interned(const std::string& text) {
  PyObject* name = to_text(text).release().ptr();
  PyUnicode_InternInPlace(&name);
  return py::reinterpret_steal<py::object>(name);
}

std::vector<py::object> interned_names(const std::vector<TensorInfo>& tensors) {
  std::vector<py::object> names;
  for (const TensorInfo& tensor : tensors) names.push_back(interned(tensor.name));
  return names;
}

ModelCall& add_model_call(Call& call, const PlannedModel& planned, const Scheduling& scheduling) {
  call.models.push_back(&planned);
  if (scheduling.timeout) {
    call.timeout =
        call.timeout ? std::min(*call.timeout, *scheduling.timeout) : *scheduling.timeout;
  }
  return call.model_calls.emplace_back(planned.call(scheduling));
}

py::object new_dict() {
  auto made = py::reinterpret_steal<py::object>(PyDict_New());
  if (!made) throw py::error_already_set();
  return made;
}

// Whether all keys are plain str. Then no look-up in the dictionary runs code of Python's, such as
// a key's own __eq__, which could change the dictionary under a borrowed reference, or raise.
bool has_plain_keys(PyObject* dict) noexcept {
  PyObject* key = nullptr;
  Py_ssize_t position = 0;
  while (PyDict_Next(dict, &position, &key, nullptr) != 0) {
    if (!PyUnicode_CheckExact(key)) return false;
  }
  return true;
}

// A borrowed reference to what a plain key stands for in a dictionary of plain keys; null for none.
PyObject* find_item(PyObject* dict, PyObject* key) {
  PyObject* const found = PyDict_GetItemWithError(dict, key);
  if (found == nullptr && PyErr_Occurred() != nullptr) throw py::error_already_set();
  return found;
}

void set_item(const py::object& dict, const py::object& key, const py::object& value) {
  if (PyDict_SetItem(dict.ptr(), key.ptr(), value.ptr()) != 0) throw py::error_already_set();
}

}  // namespace

ModelCall PlannedModel::call(const Scheduling& own) const {
  ModelCall made;
  made.model = model;
  made.record = record;
  made.sched = own.sched;
  made.max_wait = own.max_wait;
  return made;
}

Plan::Plan(const Runtime& runtime, const py::list& entries) {
  for (const py::handle entry : entries) {
    const auto parts = py::reinterpret_borrow<py::tuple>(entry);
    PlannedModel planned;
    planned.model = parts[0].cast<std::shared_ptr<LoadedModel>>();
    planned.scheduling = parts[1].cast<const Scheduling&>();
    planned.record = std::make_shared<const ModelRecord>(runtime.sinks(), planned.model->name());
    planned.name = interned(planned.model->name());
    planned.input_names = interned_names(planned.model->info().inputs);
    planned.output_names = interned_names(planned.model->info().outputs);
    indices_[planned.name] = models_.size();
    models_.push_back(std::move(planned));
  }
}

// Nothing in here runs code of Python's, so that the borrowed references stay valid.
bool Plan::prepare(PyObject* input, Call& call) const {
  if (!PyDict_CheckExact(input)) {
    return models_.size() == 1 && models_[0].input_names.size() == 1 &&
           add(models_[0], input, call);
  }
  PyObject* key = nullptr;
  PyObject* value = nullptr;
  Py_ssize_t position = 0;
  if (PyDict_Next(input, &position, &key, &value) == 0) return false;
  if (!PyDict_CheckExact(value)) return models_.size() == 1 && add(models_[0], input, call);
  call.model_calls.reserve(static_cast<std::size_t>(PyDict_Size(input)));
  position = 0;
  while (PyDict_Next(input, &position, &key, &value) != 0) {
    if (!PyDict_CheckExact(value) || !PyUnicode_CheckExact(key)) return false;
    PyObject* const index = find_item(indices_.ptr(), key);
    if (index == nullptr) return false;
    if (!add(models_[PyLong_AsSize_t(index)], value, call)) return false;
  }
  return true;
}

bool Plan::add(const PlannedModel& planned, PyObject* inputs, Call& call) const {
  const std::vector<TensorInfo>& infos = planned.model->info().inputs;
  ModelCall& model_call = add_model_call(call, planned, planned.scheduling);
  model_call.inputs.resize(infos.size());
  const bool by_name = PyDict_CheckExact(inputs);
  if (by_name && (PyDict_GET_SIZE(inputs) != static_cast<Py_ssize_t>(infos.size()) ||
                  !has_plain_keys(inputs))) {
    return false;
  }
  for (std::size_t index = 0; index < infos.size(); ++index) {
    PyObject* const array = by_name ? find_item(inputs, planned.input_names[index].ptr()) : inputs;
    if (array == nullptr || !fill_view(array, infos[index], model_call.inputs[index])) return false;
    call.held.push_back(py::reinterpret_borrow<py::object>(array));
  }
  return true;
}

Call Plan::prepare_items(const py::list& items) const {
  Call call;
  for (const py::handle item : items) {
    const auto parts = py::reinterpret_borrow<py::tuple>(item);
    const PlannedModel& planned = models_.at(parts[0].cast<std::size_t>());
    ModelCall& model_call = add_model_call(
        call, planned,
        parts[2].is_none() ? planned.scheduling : parts[2].cast<const Scheduling&>());
    const ModelInfo& info = planned.model->info();
    const auto arrays = parts[1].cast<py::list>();
    for (std::size_t index = 0; index < arrays.size(); ++index) {
      const auto array = arrays[index].cast<py::array>();
      model_call.inputs.push_back(view_of(array, info, info.inputs.at(index)));
      call.held.push_back(array);
    }
  }
  return call;
}

py::dict to_dict(const Call& call, const std::vector<RunResult>& results) {
  py::object by_model = new_dict();
  for (std::size_t index = 0; index < results.size(); ++index) {
    const PlannedModel& model = *call.models[index];
    py::object arrays = new_dict();
    for (std::size_t output = 0; output < results[index].outputs.size(); ++output) {
      set_item(arrays, model.output_names[output], to_array(results[index].outputs[output]));
    }
    set_item(by_model, model.name, arrays);
  }
  return py::reinterpret_steal<py::dict>(by_model.release());
}

py::tuple to_dict_and_times(const Call& call, const std::vector<RunResult>& results) {
  py::dict times;
  for (std::size_t index = 0; index < results.size(); ++index) {
    times[call.models[index]->name] = to_python(results[index].times);
  }
  return py::make_tuple(to_dict(call, results), times);
}

}  // namespace hbm::bindings
